//! TLS on the service's own address (RFC 8446): version 1.3, with the certificate that the operator gives.
//!
//! The files are read once, at the start; a renewed certificate takes a new start. Not in scope: where certificates come
//! from. Nothing of the record rests on TLS: it hides from the network who asks what.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;
use rustls::{InconsistentKeys, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::StartError;

/// The certificate of a service and its key, both PEM (RFC 7468).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those that lead to the issuer.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
}

/// What makes a connection a TLS connection: it holds the key.
#[derive(Clone)]
pub(crate) struct Tls(TlsAcceptor);

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

impl Tls {
    /// The server's side of the handshake.
    pub(crate) async fn accept<Io: AsyncRead + AsyncWrite + Unpin>(&self, io: Io) -> io::Result<TlsStream<Io>> {
        self.0.accept(io).await
    }
}

/// Reads the files. What is in the key's file never reaches an error.
pub(crate) fn open(files: &TlsFiles) -> Result<Tls, StartError> {
    let TlsFiles { certificate, key } = files;
    let pem = read(certificate)?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or_else(|| bad(certificate, "it does not hold certificates in PEM"))?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?);
    let secret = secret.map_err(|_| bad(key, "it does not hold a private key in PEM"))?;
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).map_err(|_| bad(key, "TLS 1.3 is missing"))?;
    let config = builder.with_no_client_auth().with_single_cert(chain, secret);
    let mut config = config.map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => bad(key, "it is another certificate's key"),
        rustls::Error::InvalidCertificate(_) => bad(certificate, "the certificate is malformed"),
        _ => bad(key, "it holds a key of a kind that is not supported"),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Tls(TlsAcceptor::from(Arc::new(config))))
}

fn read(file: &Path) -> Result<Vec<u8>, StartError> {
    fs::read(file).map_err(|_| bad(file, "it cannot be read"))
}

fn bad(file: &Path, reason: &'static str) -> StartError {
    StartError::Tls { file: file.to_owned(), reason }
}
