//! TLS and SASL in front of a broker that has neither (of tansu 0.6, `--cert` and `--key` exclude each other): what a
//! client of Event Hubs meets. The handshakes are real, and so is the broker behind them; a client that has not
//! logged in reaches nothing of it but its versions.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

/// Kafka's numbers for the requests a client may send before it has logged in.
const SASL_HANDSHAKE: i16 = 17;
const API_VERSIONS: i16 = 18;
const SASL_AUTHENTICATE: i16 = 36;
/// Kafka's error for a login that is refused.
const SASL_AUTHENTICATION_FAILED: i16 = 58;
/// Longer than anything a client says before it has logged in.
const MAX_FRAME: i32 = 64 << 10;

/// Who may in: by SASL PLAIN, or by a bearer token.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// For PLAIN.
    pub username: String,
    /// For PLAIN.
    pub password: String,
    /// For OAUTHBEARER.
    pub token: String,
}

impl Credentials {
    /// RFC 4616 and RFC 7628: what a client says that may in.
    fn are_in(&self, said: &[u8]) -> bool {
        let plain = format!("\0{}\0{}", self.username, self.password);
        let bearer = format!("\u{1}auth=Bearer {}\u{1}", self.token);
        said == plain.as_bytes() || String::from_utf8_lossy(said).contains(&bearer)
    }
}

/// How clients fared.
#[derive(Debug, Default)]
struct Logins {
    accepted: AtomicU64,
    refused: AtomicU64,
}

/// The front of one broker; gone, with all its connections, when dropped.
#[derive(Debug)]
pub(crate) struct SaslFront {
    address: SocketAddr,
    credentials: Credentials,
    logins: Arc<Logins>,
    directory: TempDir,
    runtime: Option<Runtime>,
}

impl SaslFront {
    pub(crate) fn start(target: SocketAddr, credentials: Credentials) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let acceptor = acceptor(directory.path())?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("sasl-front")
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let logins = Arc::new(Logins::default());
        let (counted, allowed) = (Arc::clone(&logins), Arc::new(credentials.clone()));
        runtime.spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((client, _)) = listener.accept().await {
                let (acceptor, allowed, counted) =
                    (acceptor.clone(), Arc::clone(&allowed), Arc::clone(&counted));
                // A client that breaks off is the client's business.
                tokio::spawn(async move { connection(client, &acceptor, target, &allowed, &counted).await });
            }
        });
        Ok(Self {
            address,
            credentials,
            logins,
            directory,
            runtime: Some(runtime),
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        certificate(self.directory.path())
    }

    /// Accepted and refused so far.
    pub(crate) fn logins(&self) -> (u64, u64) {
        (
            self.logins.accepted.load(Ordering::Relaxed),
            self.logins.refused.load(Ordering::Relaxed),
        )
    }
}

impl Drop for SaslFront {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn certificate(directory: &Path) -> PathBuf {
    directory.join("ca.pem")
}

/// With a certificate of its own, which is written for clients to trust.
fn acceptor(directory: &Path) -> io::Result<TlsAcceptor> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).map_err(io::Error::other)?;
    std::fs::write(certificate(directory), cert.pem())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into(),
        )
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection(
    client: TcpStream,
    acceptor: &TlsAcceptor,
    target: SocketAddr,
    allowed: &Credentials,
    logins: &Logins,
) -> io::Result<()> {
    let mut client = acceptor.accept(client).await?;
    let mut broker = TcpStream::connect(target).await?;
    loop {
        let frame = frame(&mut client).await?;
        let request = Request::of(&frame)?;
        let answer = match request.key {
            API_VERSIONS => {
                send(&mut broker, &frame).await?;
                self::frame(&mut broker).await?
            }
            SASL_HANDSHAKE => request.answer(&mechanisms()),
            SASL_AUTHENTICATE => {
                let accepted = allowed.are_in(request.bytes()?);
                let count = if accepted {
                    &logins.accepted
                } else {
                    &logins.refused
                };
                count.fetch_add(1, Ordering::Relaxed);
                send(&mut client, &request.answer(&outcome(accepted, request.version))).await?;
                if !accepted {
                    return client.shutdown().await;
                }
                return copy_bidirectional(&mut client, &mut broker).await.map(|_| ());
            }
            _ => return Err(io::Error::from(io::ErrorKind::PermissionDenied)),
        };
        send(&mut client, &answer).await?;
    }
}

/// Which mechanisms there are: no error, an array of texts.
fn mechanisms() -> Vec<u8> {
    let mut body = 0_i16.to_be_bytes().to_vec();
    let names = ["PLAIN", "OAUTHBEARER"];
    body.extend((names.len() as i32).to_be_bytes());
    for name in names {
        body.extend((name.len() as i16).to_be_bytes());
        body.extend(name.as_bytes());
    }
    body
}

/// Whether a login is accepted: error, no text, no bytes; since version 1 how long it lasts.
fn outcome(accepted: bool, version: i16) -> Vec<u8> {
    let error = if accepted { 0 } else { SASL_AUTHENTICATION_FAILED };
    let mut body = i16::to_be_bytes(error).to_vec();
    body.extend((-1_i16).to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    if version > 0 {
        body.extend(0_i64.to_be_bytes());
    }
    body
}

/// A request in the header that the three kinds have: key, version, correlation id, the client's name.
struct Request<'a> {
    key: i16,
    version: i16,
    correlation: [u8; 4],
    body: &'a [u8],
}

impl<'a> Request<'a> {
    fn of(frame: &'a [u8]) -> io::Result<Self> {
        let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let (key, rest) = frame.split_first_chunk().ok_or_else(short)?;
        let (version, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (correlation, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let (name, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let name = usize::try_from(i16::from_be_bytes(*name)).unwrap_or_default();
        Ok(Self {
            key: i16::from_be_bytes(*key),
            version: i16::from_be_bytes(*version),
            correlation: *correlation,
            body: rest.get(name..).ok_or_else(short)?,
        })
    }

    /// The body is bytes after their length.
    fn bytes(&self) -> io::Result<&'a [u8]> {
        let bytes = self.body.get(4..);
        bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn answer(&self, body: &[u8]) -> Vec<u8> {
        [&self.correlation, body].concat()
    }
}

/// What follows its length.
async fn frame(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let length = from.read_i32().await?;
    if !(0..=MAX_FRAME).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length.unsigned_abs() as usize];
    from.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn send(to: &mut (impl AsyncWriteExt + Unpin), frame: &[u8]) -> io::Result<()> {
    to.write_i32(frame.len() as i32).await?;
    to.write_all(frame).await?;
    to.flush().await
}
