//! Whom to trust at the other end of a TLS connection (RFC 8446): Mozilla's roots, or the certificates of one file.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::failure::Failure;

/// Certificates to trust instead of the usual ones.
#[derive(Debug, Clone)]
pub(crate) struct Trusted(Vec<CertificateDer<'static>>);

impl Trusted {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// `tls.ca_file`.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong =
            |error: &dyn std::fmt::Display| Failure::misuse("tls.ca_file", format_args!("{}: {error}", path.display()));
        let pem = std::fs::read(path).map_err(|error| wrong(&error))?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let found = found.map_err(|error| wrong(&error))?;
        if found.is_empty() {
            return Err(wrong(&"there is no certificate in it"));
        }
        let trusted = Self(found);
        trusted.roots().map_err(|error| wrong(&error))?;
        Ok(trusted)
    }

    /// For requests.
    pub(crate) fn for_requests(&self) -> TlsConfig {
        let roots: Vec<_> = self.0.iter().map(|it| Certificate::from_der(it).to_owned()).collect();
        TlsConfig::builder().root_certs(RootCerts::new_with_certs(&roots)).build()
    }

    /// For the push connection; `None` if a certificate is none.
    pub(crate) fn for_push(&self) -> Option<Arc<ClientConfig>> {
        let roots = self.roots().ok()?;
        Some(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
    }

    fn roots(&self) -> Result<RootCertStore, rustls::Error> {
        let mut roots = RootCertStore::empty();
        self.0.iter().try_for_each(|certificate| roots.add(certificate.clone()))?;
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_and_does_not_trust_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "hello", broken] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Trusted::read(&path).unwrap_err().code, "tls.ca_file", "{text}");
        }
    }
}
