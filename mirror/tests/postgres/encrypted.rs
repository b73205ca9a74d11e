//! Connections whose server is verified, by its certificate and its name.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use annals_postgres::{ConnectError, PostgresStore, Role, Settings, init};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::server::Server;

/// An authority, and a certificate of it for a host.
fn certificates(directory: &Path, host: &str) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec![host.to_owned()]).unwrap();
    let server = server.signed_by(&key, &authority).unwrap();
    fs::write(directory.join("ca.pem"), authority.pem()).unwrap();
    fs::write(directory.join("server.crt"), server.pem()).unwrap();
    let file = directory.join("server.key");
    fs::write(&file, key.serialize_pem()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn a_server_is_verified_by_certificate_and_name(_: &Server) {
    let server = Server::start(crate::server::programs().unwrap());
    let other = tempfile::tempdir().unwrap();
    certificates(&server.data(), "localhost");
    certificates(other.path(), "localhost");
    let port = server.listen_with_tls();
    let connect = |host: &str, mode: &str, authorities: &Path| {
        let url = format!(
            "postgresql://owner@{host}:{port}/postgres?sslmode={mode}&sslrootcert={}",
            authorities.display()
        );
        let settings = Settings::parse(&url)?;
        init(&settings, Role::Store)?;
        PostgresStore::open(settings).map(drop)
    };
    let own = server.data().join("ca.pem");
    connect("localhost", "verify-full", &own).unwrap();
    // Not the name in the certificate; not the authority; none; not TLS at all.
    let error = connect("127.0.0.1", "verify-full", &own).unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    let error = connect("127.0.0.1", "require", &own).unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    let error = connect("localhost", "verify-full", &other.path().join("ca.pem")).unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
    for nothing in ["server.key", "none.pem"] {
        let error = connect("localhost", "verify-full", &other.path().join(nothing)).unwrap_err();
        assert!(matches!(error, ConnectError::Certificates { .. }), "{error:?}");
    }
    server.sql("ALTER SYSTEM SET ssl = off");
    server.crash();
    server.begin();
    let error = connect("localhost", "verify-full", &own).unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
}
