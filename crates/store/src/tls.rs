//! Which library does the cryptography of TLS.

/// Chooses it for the process. The driver asks for a choice when it is to check a certificate without the name in it
/// (`sslmode=verify-ca`), where several are linked.
pub(crate) fn choose_provider() {
    // An error says that one was chosen before.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
