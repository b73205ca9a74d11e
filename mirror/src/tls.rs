//! Encrypted connections, with the server's certificate verified.

use std::path::Path;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::ConnectError;

/// A connector that trusts the authorities of a file, or those of the system.
pub(crate) fn connector(authorities: Option<&Path>) -> Result<MakeRustlsConnect, ConnectError> {
    let place = || match authorities {
        Some(file) => file.display().to_string(),
        None => "the system's store".to_owned(),
    };
    let wrong = |what: String| ConnectError::Certificates { place: place(), what };
    let found = match authorities {
        Some(file) => {
            let certificates = CertificateDer::pem_file_iter(file);
            let certificates = certificates.map_err(|error| wrong(error.to_string()))?;
            certificates.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(error.to_string()))?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 {
        return Err(wrong("there is none".to_owned()));
    }
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
