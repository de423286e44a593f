//! Why a certificate gets no session, or loses the one it has: for our log, for the peer's, and for programs.

use common::wire::close::CloseCode;
use thiserror::Error;

use super::{ScepError, chain::ChainError, crl::CrlFinding, lists::ListFinding, ocsp::OcspFinding};
use crate::identity::IdentityError;

/// What speaks against a certificate.
#[derive(Debug, Error)]
pub enum Denial {
    /// It names nobody.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Nobody whom we trust vouches for it, or not now, or not for this.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A list is against it.
    #[error(transparent)]
    List(#[from] ListFinding),
    /// The CRLs.
    #[error(transparent)]
    Crl(#[from] CrlFinding),
    /// The OCSP responder.
    #[error(transparent)]
    Ocsp(#[from] OcspFinding),
    /// The SCEP server says no, or nothing usable.
    #[error("SCEP server: {0}")]
    Scep(#[from] ScepError),
}

impl Denial {
    /// Stable, for programs that read the log.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Identity(_) => "no_uid",
            Self::Chain(error) => error.code(),
            Self::List(finding) => finding.code(),
            Self::Crl(finding) => finding.code(),
            Self::Ocsp(finding) => finding.code(),
            Self::Scep(error) => error.code(),
        }
    }

    /// Whether it is a verdict on the certificate. Otherwise a check could not be made, which says nothing about it.
    pub fn is_definite(&self) -> bool {
        match self {
            Self::Identity(_) | Self::Chain(_) | Self::List(_) => true,
            Self::Crl(finding) => finding.is_definite(),
            Self::Ocsp(finding) => finding.is_definite(),
            Self::Scep(error) => error.is_definite(),
        }
    }

    /// Whether it ends a live session at once. One whose certificate was valid before and is "not valid yet" now has a
    /// listener whose clock was set back.
    pub fn ends_live(&self) -> bool {
        self.is_definite() && !matches!(self, Self::Chain(ChainError::NotYetValid))
    }

    /// Whether somebody should be woken: a server that must be trusted vouches for another than it was asked about.
    pub fn is_alarming(&self) -> bool {
        matches!(self, Self::Scep(ScepError::OtherUid(_)))
    }

    /// What the connector is told.
    pub fn close_code(&self) -> CloseCode {
        let revoked = matches!(
            self,
            Self::Crl(CrlFinding::Revoked { .. }) | Self::Ocsp(OcspFinding::Revoked { .. })
        );
        match (revoked, self.is_definite()) {
            (true, _) => CloseCode::CertificateRevoked,
            (false, true) => CloseCode::PolicyDenied,
            (false, false) => CloseCode::VerifierUnavailable,
        }
    }

    /// The same in words. Files, addresses and troubles of the listener are no business of its peers.
    pub fn told(&self) -> String {
        if matches!(self, Self::List(ListFinding::Denied { .. })) {
            return "the listener's operator has denied this certificate: ask them".to_owned();
        }
        if let Self::Ocsp(finding) = self
            && let Some(told) = finding.told()
        {
            return told;
        }
        match self.is_alarming() || !self.is_definite() {
            true => self.close_code().text().to_owned(),
            false => self.to_string(),
        }
    }
}
