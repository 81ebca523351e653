//! Serving over TLS: the certificate and its key, and their renewal without a restart.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use nsc_core::OperatorError;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;
use crate::options::TlsOptions;

/// The only protocol that is served.
const ALPN: &[u8] = b"http/1.1";

/// A certificate and its key in use.
pub(crate) struct Tls {
    options: TlsOptions,
    files: Files,
    /// What new connections are made with.
    pub(crate) config: RustlsConfig,
}

/// The two files as they were read; equal bytes need no new set-up.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Tls {
    pub(crate) fn read(options: TlsOptions) -> Result<Self, ApiError> {
        let files = Files::read(&options)?;
        let config = RustlsConfig::from_config(files.config(&options)?);
        Ok(Self {
            options,
            files,
            config,
        })
    }

    /// Looks at the files again and again and takes them when they changed and are usable, until the shutdown.
    pub(crate) async fn renew(mut self, shutdown: CancellationToken) {
        let mut ticks = interval(self.options.reload_every.max(Duration::from_millis(10)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.look() {
                // Half of a renewal may be written: the next look sees the whole.
                let detail = error.detail();
                tracing::warn!(%error, detail, "the TLS files are not usable; what was read before stays in use");
            }
        }
    }

    fn look(&mut self) -> Result<(), ApiError> {
        let now = Files::read(&self.options)?;
        if now != self.files {
            self.config.reload_from_config(now.config(&self.options)?);
            self.files = now;
            tracing::info!("the TLS certificate is renewed");
        }
        Ok(())
    }
}

impl Files {
    fn read(options: &TlsOptions) -> Result<Self, ApiError> {
        let read = |path: &Path| std::fs::read(path).map_err(|e| refused(path, e.to_string()));
        Ok(Self {
            certificate: read(&options.certificate)?,
            key: read(&options.key)?,
        })
    }

    /// TLS 1.2 and 1.3 with the library's choice of ciphers.
    fn config(&self, options: &TlsOptions) -> Result<Arc<ServerConfig>, ApiError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|e| refused(&options.certificate, format!("it is no PEM file: {e}")))?;
        if chain.is_empty() {
            return Err(refused(
                &options.certificate,
                "there is no certificate in it".to_owned(),
            ));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|e| refused(&options.key, format!("there is no usable private key in it: {e}")))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| refused(&options.certificate, e.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| refused(&options.key, e.to_string()))?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Arc::new(config))
    }
}

fn refused(path: &Path, reason: String) -> ApiError {
    ApiError::Tls {
        path: path.to_owned(),
        reason,
    }
}
