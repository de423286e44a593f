//! The listener's view of a connector's certificate.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms},
    pki_types::{CertificateDer, UnixTime},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use webpki::KeyUsage;

use super::path::{Presented, Rules};

/// rustls' own verifier, and the smallest RSA key after it.
#[derive(Debug)]
pub(crate) struct ConnectorVerifier {
    inner: Arc<dyn ClientCertVerifier>,
    roots: Arc<RootCertStore>,
    supported: WebPkiSupportedAlgorithms,
    min_rsa_bits: u32,
}

impl ConnectorVerifier {
    pub(crate) fn new(
        roots: RootCertStore,
        provider: &Arc<CryptoProvider>,
        min_rsa_bits: u32,
    ) -> Result<Self, VerifierBuilderError> {
        let roots = Arc::new(roots);
        let inner = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone());
        Ok(Self {
            inner: inner.build()?,
            roots,
            supported: provider.signature_verification_algorithms,
            min_rsa_bits,
        })
    }
}

impl ClientCertVerifier for ConnectorVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, now)?;
        let presented = Presented {
            leaf: end_entity,
            intermediates,
            roots: &self.roots,
            supported: &self.supported,
            now,
        };
        let rules = Rules {
            pins: &[],
            min_rsa_bits: self.min_rsa_bits,
        };
        presented.check(KeyUsage::client_auth(), rules)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
