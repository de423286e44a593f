//! Why a certificate is revoked: the reason codes of RFC 5280, section 5.3.1.

use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use rcgen::RevocationReason;

/// What a user may ask for, by the names of the RFC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "camelCase")]
pub(super) enum ReasonArg {
    /// No reason is given
    #[default]
    Unspecified,
    /// Others have, or may have, the private key
    KeyCompromise,
    /// Others have, or may have, the private key of a CA
    #[value(name = "cACompromise", alias = "caCompromise")]
    CaCompromise,
    /// The holder has another name, or belongs elsewhere
    AffiliationChanged,
    /// There is a newer certificate
    Superseded,
    /// It is not needed any more
    CessationOfOperation,
    /// For the time being
    CertificateHold,
    /// The holder may not do any more what the certificate allows
    PrivilegeWithdrawn,
    /// End a certificateHold
    #[value(name = "removeFromCRL", alias = "removeFromCrl")]
    RemoveFromCrl,
}

/// A reason that stands in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    CertificateHold,
    PrivilegeWithdrawn,
}

impl Reason {
    const ALL: [Self; 8] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::PrivilegeWithdrawn,
    ];

    /// How it is written into a CRL; "unspecified" is left out there.
    pub(super) fn code(self) -> Option<RevocationReason> {
        match self {
            Self::Unspecified => None,
            Self::KeyCompromise => Some(RevocationReason::KeyCompromise),
            Self::CaCompromise => Some(RevocationReason::CaCompromise),
            Self::AffiliationChanged => Some(RevocationReason::AffiliationChanged),
            Self::Superseded => Some(RevocationReason::Superseded),
            Self::CessationOfOperation => Some(RevocationReason::CessationOfOperation),
            Self::CertificateHold => Some(RevocationReason::CertificateHold),
            Self::PrivilegeWithdrawn => Some(RevocationReason::PrivilegeWithdrawn),
        }
    }
}

impl ReasonArg {
    /// The reason for the list; `None` takes the certificate off it.
    pub(super) fn listed(self) -> Option<Reason> {
        match self {
            Self::Unspecified => Some(Reason::Unspecified),
            Self::KeyCompromise => Some(Reason::KeyCompromise),
            Self::CaCompromise => Some(Reason::CaCompromise),
            Self::AffiliationChanged => Some(Reason::AffiliationChanged),
            Self::Superseded => Some(Reason::Superseded),
            Self::CessationOfOperation => Some(Reason::CessationOfOperation),
            Self::CertificateHold => Some(Reason::CertificateHold),
            Self::PrivilegeWithdrawn => Some(Reason::PrivilegeWithdrawn),
            Self::RemoveFromCrl => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
        })
    }
}

impl FromStr for Reason {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.to_string() == text)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_are_those_of_the_command_line() {
        for reason in Reason::ALL {
            let name = reason.to_string();
            assert_eq!(name.parse(), Ok(reason));
            let argument = ReasonArg::from_str(&name, false).unwrap();
            assert_eq!(argument.listed(), Some(reason));
        }
        assert_eq!("removeFromCRL".parse::<Reason>(), Err(()));
        assert_eq!(ReasonArg::RemoveFromCrl.listed(), None);
    }
}
