//! The environment of the command.
//!
//! The connector's own may hold secrets, and what belongs to it alone (`NOTIFY_SOCKET`, the watchdog). So only what tools
//! need to find their way is passed on, and what `renew.pass_environment` names.

use std::ffi::{OsStr, OsString};

use common::tls::{CertificateFacts, CertificateFiles, expiry::days_left};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::schedule::Reason;

/// Passed on when it is there: where things are, languages and times, the folders that systemd gives the service, and
/// the way to the CA.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TMPDIR",
    "LANG",
    "LANGUAGE",
    "TZ",
    "STATE_DIRECTORY",
    "CACHE_DIRECTORY",
    "LOGS_DIRECTORY",
    "RUNTIME_DIRECTORY",
    "CONFIGURATION_DIRECTORY",
    "CREDENTIALS_DIRECTORY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// When the connector has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the command is to renew, and why.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) files: &'a CertificateFiles,
    /// `None` when the certificate cannot be read.
    pub(super) facts: Option<&'a CertificateFacts>,
    pub(super) reason: Reason,
    pub(super) now: OffsetDateTime,
}

/// The whole environment: of the connector's what is passed on, and over it what is told about the certificate.
pub(super) fn environment(
    own: impl IntoIterator<Item = (OsString, OsString)>,
    more: &[String],
    subject: &Subject<'_>,
) -> Vec<(OsString, OsString)> {
    let mut all = vec![("PATH".into(), DEFAULT_PATH.into())];
    all.extend(own.into_iter().filter(|(name, _)| is_passed_on(name, more)));
    all.extend(told(subject).map(|(name, value)| (OsString::from(name), value)));
    all
}

fn is_passed_on(name: &OsStr, more: &[String]) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    PASSED_ON.contains(&name) || name.starts_with("LC_") || more.iter().any(|m| m == name)
}

fn told(subject: &Subject<'_>) -> impl Iterator<Item = (&'static str, OsString)> + use<> {
    let Subject {
        files,
        facts,
        reason,
        now,
    } = subject;
    let fact = |of: &dyn Fn(&CertificateFacts) -> String| facts.map(of).unwrap_or_default().into();
    [
        ("SOCKET_WARP_CERT_PATH", files.chain.clone().into()),
        ("SOCKET_WARP_KEY_PATH", files.key.clone().into()),
        ("SOCKET_WARP_CA_PATH", files.ca.clone().into()),
        ("SOCKET_WARP_REASON", reason.word().into()),
        (
            "SOCKET_WARP_UID",
            fact(&|f| f.common_name.clone().unwrap_or_default()),
        ),
        ("SOCKET_WARP_SERIAL", fact(&|f| f.serial.clone())),
        (
            "SOCKET_WARP_NOT_AFTER",
            fact(&|f| f.not_after.format(&Rfc3339).unwrap_or_default()),
        ),
        (
            "SOCKET_WARP_DAYS_LEFT",
            fact(&|f| days_left(*now, f.not_after).to_string()),
        ),
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use common::tls::KeyPermissions;
    use time::macros::datetime;

    use super::*;

    fn files() -> CertificateFiles {
        CertificateFiles {
            chain: "/x/a.crt".into(),
            key: "/x/a.key".into(),
            ca: "/x/ca.crt".into(),
            permissions: KeyPermissions::Strict,
        }
    }

    fn made(own: &[(&str, &str)], facts: Option<&CertificateFacts>) -> BTreeMap<String, String> {
        let files = files();
        let subject = Subject {
            files: &files,
            facts,
            reason: Reason::Due,
            now: datetime!(2026-11-20 12:00 UTC),
        };
        let own = own.iter().map(|(n, v)| (n.into(), v.into()));
        let text = |text: OsString| text.into_string().unwrap();
        environment(own, &["STEPPATH".to_owned()], &subject)
            .into_iter()
            .map(|(name, value)| (text(name), text(value)))
            .collect()
    }

    #[test]
    fn secrets_and_what_is_the_connectors_own_are_not_passed_on() {
        let own = [
            ("SWC_SECRET", "1"),
            ("NOTIFY_SOCKET", "/run/x"),
            ("WATCHDOG_USEC", "1"),
            ("AWS_SECRET_ACCESS_KEY", "1"),
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("STEPPATH", "/etc/step"),
            ("SOCKET_WARP_REASON", "a lie"),
        ];
        let made = made(&own, None);
        let names: Vec<_> = made.keys().map(String::as_str).collect();
        let expected = [
            "LC_ALL",
            "PATH",
            "SOCKET_WARP_CA_PATH",
            "SOCKET_WARP_CERT_PATH",
            "SOCKET_WARP_DAYS_LEFT",
            "SOCKET_WARP_KEY_PATH",
            "SOCKET_WARP_NOT_AFTER",
            "SOCKET_WARP_REASON",
            "SOCKET_WARP_SERIAL",
            "SOCKET_WARP_UID",
            "STEPPATH",
        ];
        assert_eq!(names, expected);
        assert_eq!(made["PATH"], "/bin");
        assert_eq!(made["SOCKET_WARP_REASON"], "due");
        assert_eq!(made["SOCKET_WARP_SERIAL"], "", "nothing is known");
    }

    #[test]
    fn the_certificate_is_described() {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = rcgen::DnType::CommonName;
        params.distinguished_name.push(name, "device1");
        params.serial_number = Some(vec![1, 0xab].into());
        params.not_after = datetime!(2026-11-23 11:00 UTC);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let facts = CertificateFacts::from_der(certificate.der()).unwrap();
        let made = made(&[], Some(&facts));
        assert_eq!(made["SOCKET_WARP_UID"], "device1");
        assert_eq!(made["SOCKET_WARP_SERIAL"], "01:ab");
        assert_eq!(made["SOCKET_WARP_NOT_AFTER"], "2026-11-23T11:00:00Z");
        assert_eq!(made["SOCKET_WARP_DAYS_LEFT"], "2");
        assert_eq!(made["SOCKET_WARP_KEY_PATH"], "/x/a.key");
        assert_eq!(made["PATH"], DEFAULT_PATH);
    }
}
