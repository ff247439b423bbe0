//! TLS on the service's own address.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned};
use service::{Options, Patience, Service, TlsFiles};

use crate::listener::Running;
use crate::world::World;

/// Makes a certificate for localhost; gives it, and the files it is in.
fn certificate(folder: &Path, name: &str) -> (CertificateDer<'static>, TlsFiles) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [certificate, key] = ["cert", "key"].map(|kind| folder.join(format!("{name}.{kind}.pem")));
    fs::write(&certificate, cert.pem()).unwrap();
    fs::write(&key, signing_key.serialize_pem()).unwrap();
    (cert.der().clone(), TlsFiles { certificate, key })
}

/// Asks for the checkpoint as a client that trusts these certificates alone.
fn ask(running: &Running, trusted: &[&CertificateDer<'static>]) -> std::io::Result<(ProtocolVersion, String)> {
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|it| roots.add((*it).clone()).unwrap());
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(running.address).unwrap());
    stream.write_all(b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok((stream.conn.protocol_version().unwrap(), answer))
}

#[test]
fn over_tls_the_service_answers_whoever_trusts_its_certificate() {
    let world = World::new();
    let (own, files) = certificate(&world.data, "own");
    let (other, _) = certificate(&world.data, "other");
    let running = Running::start(Options { tls: Some(files), ..world.options() });
    let (version, answer) = ask(&running, &[&own]).unwrap();
    assert_eq!(version, ProtocolVersion::TLSv1_3);
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("request.not_found"), "{answer}");
    assert!(ask(&running, &[&other]).unwrap_err().to_string().contains("invalid peer certificate"));
    // and nobody without TLS
    let plain = running.last_words(b"GET /checkpoint HTTP/1.1\r\nhost: a\r\n\r\n");
    assert!(!plain.contains("HTTP/1.1"), "{plain:?}");
    running.end();
}

/// Attack 52: whoever never finishes the handshake delays nobody, and loses the connection.
#[test]
fn a_handshake_that_never_ends_holds_up_nobody() {
    let world = World::new();
    let (own, files) = certificate(&world.data, "own");
    let running = Running::start(Options { tls: Some(files.clone()), ..world.options() });
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    ask(&running, &[&own]).unwrap();
    drop(silent);
    running.end();
    let patience = Patience { handshake: Duration::from_millis(50), ..Patience::default() };
    let running = Running::start(Options { tls: Some(files), patience, ..world.options() });
    // a handshake record that is announced and does not come
    assert_eq!(running.last_words(&[0x16, 3, 1, 0, 200]), "");
    running.end();
}

#[test]
fn a_certificate_without_its_key_does_not_start() {
    let world = World::new();
    let (_, own) = certificate(&world.data, "own");
    let (_, other) = certificate(&world.data, "other");
    let empty = world.data.join("empty.pem");
    fs::write(&empty, "").unwrap();
    let missing = world.data.join("missing.pem");
    for (certificate, key) in [
        (&own.certificate, &other.key),
        (&own.certificate, &empty),
        (&empty, &own.key),
        (&own.key, &own.key),
        (&own.certificate, &own.certificate),
        (&own.certificate, &missing),
        (&missing, &own.key),
    ] {
        let tls = Some(TlsFiles { certificate: certificate.clone(), key: key.clone() });
        let refused = Service::open(Options { tls, ..world.options() }).unwrap_err();
        assert_eq!(refused.code(), "service.tls", "{refused}");
    }
    // nothing was begun in the folder
    assert!(!world.data.join("store.sqlite").exists());
}
