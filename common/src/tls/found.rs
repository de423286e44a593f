//! What a file holds instead of what belongs there, and the way out. Pure.

use std::{fmt, path::Path};

/// What belongs into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// One's own certificate, with those that lead to its CA.
    Certificate,
    /// The CA certificates for the other side.
    Ca,
    /// A private key.
    Key,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate | Self::Ca => "certificate",
            Self::Key => "private key",
        })
    }
}

/// A thing that was found in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Text,
    Binary,
    CutOff,
    Certificate,
    TrustedCertificate,
    Crl,
    Csr,
    PrivateKey,
    EncryptedKey,
    OpensshKey,
    PuttyKey,
    PublicKey,
    DhParameters,
    EcParameters,
    Pkcs7,
    Pkcs12,
    KeyStore,
    Utf16,
    Html,
    Base64,
    Pem(String),
}

impl Found {
    /// By the label of a PEM block that is of no use here.
    pub(super) fn by_label(label: &str) -> Self {
        match label {
            "TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::Csr,
            "ENCRYPTED PRIVATE KEY" => Self::EncryptedKey,
            "OPENSSH PRIVATE KEY" => Self::OpensshKey,
            "PUBLIC KEY" | "RSA PUBLIC KEY" | "SSH2 PUBLIC KEY" => Self::PublicKey,
            "DH PARAMETERS" | "X9.42 DH PARAMETERS" => Self::DhParameters,
            "EC PARAMETERS" => Self::EcParameters,
            "PKCS7" | "CMS" => Self::Pkcs7,
            other => Self::Pem(other.chars().take(60).collect()),
        }
    }

    /// What to do about it, if there is more to say than that something else belongs there.
    pub(super) fn advice(&self, path: &Path, wanted: Wanted) -> Option<String> {
        let path = path.display();
        let certificate = wanted != Wanted::Key;
        let text = match self {
            Self::Csr => "send it to the CA, and put the certificate that comes back here".into(),
            Self::TrustedCertificate => {
                format!("take openssl's own additions off: openssl x509 -in {path} -out NEW_FILE")
            }
            Self::EncryptedKey if !certificate => format!(
                "a daemon has nobody to ask for the passphrase: openssl pkey -in {path} -out NEW_FILE, and chmod 600 \
                 NEW_FILE"
            ),
            Self::OpensshKey if !certificate => format!(
                "convert a copy of it: ssh-keygen -p -N '' -m PKCS8 -f {path} (it must be RSA or ECDSA)"
            ),
            Self::PuttyKey if !certificate => {
                format!("convert it: puttygen {path} -O private-openssh-new -o NEW_FILE")
            }
            Self::PublicKey if !certificate => {
                "the private key was made together with it: name that file".into()
            }
            Self::PublicKey => "a certificate is what a CA makes of it: name that file".into(),
            Self::Pkcs7 if certificate => {
                format!(
                    "take the certificates out: openssl pkcs7 -in {path} -print_certs -out NEW_FILE (binary: -inform DER)"
                )
            }
            Self::Pkcs12 | Self::KeyStore if certificate => {
                format!(
                    "take the certificates out: openssl pkcs12 -in {path} -nokeys -out NEW_FILE"
                )
            }
            Self::Pkcs12 | Self::KeyStore => format!(
                "take the key out: openssl pkcs12 -in {path} -nocerts -nodes -out NEW_FILE, and chmod 600 NEW_FILE"
            ),
            Self::Utf16 => format!(
                "an editor or PowerShell has written it so: iconv -f UTF-16 -t UTF-8 {path} > NEW_FILE"
            ),
            Self::Html => "the download went wrong: fetch the file again".into(),
            Self::Base64 => format!(
                "the lines -----BEGIN {0}----- and -----END {0}----- are missing around it",
                if certificate {
                    "CERTIFICATE"
                } else {
                    "PRIVATE KEY"
                }
            ),
            Self::Certificate if !certificate => {
                "name the file with its private key; were the two settings exchanged?".into()
            }
            Self::PrivateKey if certificate => {
                "name the file with its certificate; were the two settings exchanged?".into()
            }
            Self::EcParameters if !certificate => {
                "the key itself is missing: openssl ecparam -genkey writes both".into()
            }
            Self::Nothing
            | Self::Text
            | Self::Binary
            | Self::CutOff
            | Self::Certificate
            | Self::Crl
            | Self::PrivateKey
            | Self::EncryptedKey
            | Self::OpensshKey
            | Self::PuttyKey
            | Self::DhParameters
            | Self::EcParameters
            | Self::Pkcs7
            | Self::Pem(_) => return None,
        };
        Some(text)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing: the file is empty",
            Self::Text => "text without any PEM block (-----BEGIN ...-----)",
            Self::Binary => "binary data of a kind that is not known here",
            Self::CutOff => "binary data (DER) that ends too early: the file was cut off",
            Self::Certificate => "a certificate",
            Self::TrustedCertificate => {
                "a certificate in openssl's own format (TRUSTED CERTIFICATE)"
            }
            Self::Crl => "a revocation list",
            Self::Csr => "a certificate signing request",
            Self::PrivateKey => "a private key",
            Self::EncryptedKey => "an encrypted private key",
            Self::OpensshKey => "a private key in the format of OpenSSH",
            Self::PuttyKey => "a private key in the format of PuTTY",
            Self::PublicKey => "a public key",
            Self::DhParameters => "Diffie-Hellman parameters, which TLS 1.3 does not use",
            Self::EcParameters => "parameters of an elliptic curve",
            Self::Pkcs7 => "a PKCS#7 collection of certificates",
            Self::Pkcs12 => "a PKCS#12 file (.p12, .pfx)",
            Self::KeyStore => "a Java key store",
            Self::Utf16 => "text in UTF-16",
            Self::Html => "a web page",
            Self::Base64 => "base64 without its first and last line",
            Self::Pem(label) => return write!(f, "a PEM block {label:?}"),
        })
    }
}
