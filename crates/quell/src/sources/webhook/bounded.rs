//! A listener for strangers: so many connections at once and no more, and none that is silent for
//! long. Whoever comes beyond that waits in the operating system's queue.

use axum::serve::Listener;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Most connections at once.
pub const CONNECTIONS_MAX: usize = 256;
/// How long a connection may be silent, in seconds.
pub const SILENCE_MAX_S: u64 = 60;

/// See the module's page.
#[derive(Debug)]
pub struct Bounded {
    listener: TcpListener,
    slots: Arc<Semaphore>,
}

/// A connection with its slot.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    silence: Pin<Box<Sleep>>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Bounded {
    /// Bounds a listener.
    pub fn new(listener: TcpListener) -> Bounded {
        Bounded { listener, slots: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        if self.slots.available_permits() == 0 {
            tracing::warn!(connections_max = CONNECTIONS_MAX, "no connection is free");
        }
        // Nobody closes the semaphore.
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let silence = Box::pin(sleep(Duration::from_secs(SILENCE_MAX_S)));
        (Connection { stream, silence, _slot: slot }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, room) {
            this.silence.as_mut().reset(Instant::now() + Duration::from_secs(SILENCE_MAX_S));
            return Poll::Ready(read);
        }
        let too_long = || Err(io::ErrorKind::TimedOut.into());
        this.silence.as_mut().poll(context).map(|()| too_long())
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
