//! A TCP proxy that misbehaves when told to: a server that is away, hangs, is slow, or does what it was asked and
//! cannot say so.
//!
//! It runs on a thread of its own, so a test that blocks its own runtime does not block the proxy. Its port is
//! held through every fault: while cut, a connection is accepted and reset at once, which clients see as an
//! outage, and no other test can take the port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// Chunks on their way in one direction of one connection; more than these wait in the sender's socket.
const IN_FLIGHT: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Fault {
    #[default]
    None,
    Cut,
    Stalled,
    AnswersLost,
}

#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    fault: Fault,
    delay: Duration,
    /// Connections of an earlier era are silent for ever.
    era: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Answer,
}

/// A running proxy; gone, with all its connections, when dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    runtime: Option<Runtime>,
}

impl FaultProxy {
    /// Listens on a free loopback port and forwards to `target`, which need not be there yet.
    ///
    /// # Errors
    /// When there is no free port or no thread.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fault-proxy")
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (weather, forecast) = watch::channel(Weather::default());
        runtime.spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else {
                return;
            };
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, target, forecast.clone()));
            }
        });
        Ok(Self {
            address,
            weather,
            runtime: Some(runtime),
        })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server is away: every connection is reset, and every new one too.
    pub fn cut(&self) {
        self.set(Fault::Cut);
    }

    /// The server hangs: connections stay and new ones are taken, but nothing passes in either direction until
    /// [`FaultProxy::restore`], which lets through what has waited.
    pub fn stall(&self) {
        self.set(Fault::Stalled);
    }

    /// The server does what it is asked and nobody hears of it: requests pass, answers are dropped. Follow it by
    /// [`FaultProxy::cut`]; a stream with a hole in it is of no use to any client.
    pub fn lose_answers(&self) {
        self.set(Fault::AnswersLost);
    }

    /// A firewall has forgotten the connections there are: they are silent for ever, and new ones are served.
    pub fn forget_connections(&self) {
        self.weather.send_modify(|weather| weather.era += 1);
    }

    /// No fault any more. A delay stays.
    pub fn restore(&self) {
        self.set(Fault::None);
    }

    /// Whatever passes arrives this much later, in each direction. Throughput is not limited by it.
    pub fn delay(&self, each_way: Duration) {
        self.weather.send_modify(|weather| weather.delay = each_way);
    }

    fn set(&self, fault: Fault) {
        self.weather.send_modify(|weather| weather.fault = fault);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // Waiting for it is not allowed inside an asynchronous test.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn connection(mut client: TcpStream, target: SocketAddr, weather: watch::Receiver<Weather>) {
    let is_cut = |weather: &Weather| weather.fault == Fault::Cut;
    if is_cut(&weather.borrow()) {
        reset(&client);
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else {
        reset(&client);
        return;
    };
    // Small messages at once: the delays are ours to choose.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let mut watched = weather.clone();
    let ended = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            tokio::join!(
                pump(from_client, to_server, Direction::Request, weather.clone()),
                pump(from_server, to_client, Direction::Answer, weather.clone()),
            )
        };
        tokio::select! {
            done = both => done.0.and(done.1),
            _ = watched.wait_for(is_cut) => Err(io::ErrorKind::ConnectionReset.into()),
        }
    };
    if ended.is_err() {
        reset(&client);
        reset(&server);
    }
}

/// Closing the stream will say "reset", not "done".
fn reset(stream: &TcpStream) {
    // Not possible on a stream that is already reset, which is as good.
    let _ = stream.set_zero_linger();
}

/// Forwards one direction until its end, which is passed on.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    direction: Direction,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let (send, mut waiting) = mpsc::channel::<(Instant, Vec<u8>)>(IN_FLIGHT);
    let arrivals = weather.clone();
    let read = async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut buffer).await?;
            let due = Instant::now() + arrivals.borrow().delay;
            let chunk = buffer.get(..length).unwrap_or_default().to_vec();
            // An empty chunk is the end; it waits its turn like any other.
            if send.send((due, chunk)).await.is_err() || length == 0 {
                return Ok(());
            }
        }
    };
    let era = weather.borrow().era;
    let mut departures = weather;
    let write = async move {
        while let Some((due, chunk)) = waiting.recv().await {
            sleep_until(due).await;
            let now = departures
                .wait_for(|weather| weather.fault != Fault::Stalled && weather.era == era)
                .await;
            let lost = now.is_ok_and(|now| now.fault == Fault::AnswersLost) && direction == Direction::Answer;
            if chunk.is_empty() {
                return to.shutdown().await;
            }
            if !lost {
                to.write_all(&chunk).await?;
            }
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::FaultProxy;

    /// A server that answers every byte with the same byte, and counts itself done at the end of the stream.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
            }
        });
        address
    }

    fn client(proxy: &FaultProxy) -> TcpStream {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }

    fn ask(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(text)?;
        let mut answer = vec![0; text.len()];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    }

    /// Whether an answer fails to come within a moment.
    fn is_silent(stream: &mut TcpStream) -> bool {
        stream.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let answer = stream.read(&mut [0; 1]);
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        answer.is_err_and(|e| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    #[test]
    fn bytes_pass_both_ways_and_so_does_the_end() {
        let proxy = FaultProxy::start(echo()).unwrap();
        let mut stream = client(&proxy);
        let sent: Vec<u8> = (0..3_000_000_u32)
            .map(|i| i.to_le_bytes()[i as usize % 3])
            .collect();
        let (mut writer, copy) = (stream.try_clone().unwrap(), sent.clone());
        let writing = thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        writing.join().unwrap();
        assert!(received == sent);
    }

    #[test]
    fn a_cut_resets_what_is_open_and_what_comes_and_a_restore_serves_again() {
        let proxy = FaultProxy::start(echo()).unwrap();
        let mut open = client(&proxy);
        assert_eq!(ask(&mut open, b"before").unwrap(), b"before");
        proxy.cut();
        assert!(open.read(&mut [0; 1]).is_err());
        assert!(ask(&mut client(&proxy), b"during").is_err());
        proxy.restore();
        assert_eq!(ask(&mut client(&proxy), b"after").unwrap(), b"after");
        assert!(ask(&mut open, b"gone").is_err());
    }

    #[test]
    fn a_stall_keeps_connections_and_lets_everything_through_later() {
        let proxy = FaultProxy::start(echo()).unwrap();
        let mut open = client(&proxy);
        assert_eq!(ask(&mut open, b"before").unwrap(), b"before");
        proxy.stall();
        let mut new = client(&proxy);
        open.write_all(b"old").unwrap();
        new.write_all(b"new").unwrap();
        assert!(is_silent(&mut open) && is_silent(&mut new));
        proxy.restore();
        let (mut from_open, mut from_new) = ([0; 3], [0; 3]);
        open.read_exact(&mut from_open).unwrap();
        new.read_exact(&mut from_new).unwrap();
        assert_eq!((&from_open, &from_new), (b"old", b"new"));
    }

    #[test]
    fn forgotten_connections_are_silent_for_ever_and_new_ones_are_served() {
        let proxy = FaultProxy::start(echo()).unwrap();
        let mut old = client(&proxy);
        assert_eq!(ask(&mut old, b"before").unwrap(), b"before");
        proxy.forget_connections();
        old.write_all(b"old").unwrap();
        assert!(is_silent(&mut old));
        assert_eq!(ask(&mut client(&proxy), b"new").unwrap(), b"new");
        proxy.restore();
        assert!(is_silent(&mut old));
    }

    #[test]
    fn lost_answers_were_given_by_a_server_that_did_what_it_was_asked() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = FaultProxy::start(server.local_addr().unwrap()).unwrap();
        let mut stream = client(&proxy);
        let (mut asked, _) = server.accept().unwrap();
        proxy.lose_answers();
        stream.write_all(b"commit").unwrap();
        let mut request = [0; 6];
        asked.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"commit");
        asked.write_all(b"done").unwrap();
        assert!(is_silent(&mut stream));
        proxy.cut();
        assert!(stream.read(&mut [0; 1]).is_err());
    }

    #[test]
    fn a_delay_is_paid_once_in_each_direction_and_not_for_every_byte() {
        let proxy = FaultProxy::start(echo()).unwrap();
        let mut stream = client(&proxy);
        ask(&mut stream, b"x").unwrap();
        proxy.delay(Duration::from_millis(50));
        let begun = Instant::now();
        ask(&mut stream, b"y").unwrap();
        assert!(
            begun.elapsed() >= Duration::from_millis(100),
            "{:?}",
            begun.elapsed()
        );
        // 20 requests on their way at once arrive together
        let begun = Instant::now();
        for _ in 0..20 {
            stream.write_all(b"z").unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        stream.read_exact(&mut [0; 20]).unwrap();
        assert!(
            begun.elapsed() < Duration::from_millis(1_000),
            "{:?}",
            begun.elapsed()
        );
        proxy.delay(Duration::ZERO);
    }

    #[test]
    fn a_server_that_is_not_there_looks_like_a_reset() {
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let proxy = FaultProxy::start(nobody).unwrap();
        assert!(ask(&mut client(&proxy), b"hello").is_err());
    }

    #[tokio::test]
    async fn it_may_be_dropped_inside_an_asynchronous_test_and_is_gone() {
        let proxy = FaultProxy::start(echo()).unwrap();
        let mut open = client(&proxy);
        ask(&mut open, b"x").unwrap();
        drop(proxy);
        assert!(!matches!(open.read(&mut [0; 1]), Ok(1..)));
    }
}
