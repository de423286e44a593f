mod keeper;
mod lists;
mod openssl;
mod server;
mod shelf;

use std::time::SystemTime;

use rustls::{RootCertStore, crypto::WebPkiSupportedAlgorithms, pki_types::CertificateDer};

use crate::policy::chain::{self, Path};

fn supported() -> WebPkiSupportedAlgorithms {
    rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms
}

/// The verified path of a chain (leaf first) to a CA.
fn path(root: &CertificateDer<'static>, chain: &[&CertificateDer<'static>]) -> Path {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let chain: Vec<_> = chain.iter().map(|der| (*der).clone()).collect();
    chain::verify(&supported(), &roots, &chain, SystemTime::now()).unwrap()
}
