//! The connector's view of a listener's certificate.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{ParsedCertificate, VerifierBuilderError},
};
use webpki::KeyUsage;

use super::{
    ExpectedName, ListenerChecks, Unwanted,
    path::{Presented, Rules},
};
use crate::tls::CertificateFacts;

/// rustls' own verifier, and [`ListenerChecks`] after it.
#[derive(Debug)]
pub(crate) struct ListenerVerifier {
    inner: Arc<WebPkiServerVerifier>,
    roots: Arc<RootCertStore>,
    supported: WebPkiSupportedAlgorithms,
    checks: ListenerChecks,
    min_rsa_bits: u32,
}

impl ListenerVerifier {
    pub(crate) fn new(
        roots: RootCertStore,
        provider: &Arc<CryptoProvider>,
        checks: ListenerChecks,
        min_rsa_bits: u32,
    ) -> Result<Self, VerifierBuilderError> {
        let roots = Arc::new(roots);
        let inner = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
        Ok(Self {
            inner: inner.build()?,
            roots,
            supported: provider.signature_verification_algorithms,
            checks,
            min_rsa_bits,
        })
    }
}

impl ServerCertVerifier for ListenerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.checks.insecure_skip {
            return Ok(ServerCertVerified::assertion());
        }
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        if let Some(expected) = &self.checks.expected_name {
            expect(end_entity, expected)?;
        }
        let presented = Presented {
            leaf: end_entity,
            intermediates,
            roots: &self.roots,
            supported: &self.supported,
            now,
        };
        let rules = Rules {
            pins: &self.checks.pins,
            min_rsa_bits: self.min_rsa_bits,
        };
        presented.check(KeyUsage::server_auth(), rules)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.supported)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.supported)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.supported.supported_schemes()
    }
}

/// Whether the leaf has a name, as a subject alternative name or as its common name.
fn expect(leaf: &CertificateDer<'_>, expected: &ExpectedName) -> Result<(), Error> {
    if let Some(name) = &expected.name
        && verify_server_name(&ParsedCertificate::try_from(leaf)?, name.as_server_name()).is_ok()
    {
        return Ok(());
    }
    let facts = CertificateFacts::from_der(leaf)
        .map_err(|error| Unwanted::Unreadable(error.to_string()))?;
    if facts.common_name.as_ref() == Some(&expected.text) {
        return Ok(());
    }
    let presented = facts.sans.into_iter().chain(facts.common_name);
    Err(Unwanted::Name {
        expected: expected.text.clone(),
        presented: presented.collect(),
    }
    .into())
}
