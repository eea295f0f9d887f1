//! The links between operators, each through a relay that can be cut and slowed down.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

#[derive(Debug, Clone, Copy, Default)]
struct State {
    cut: bool,
    delay: Duration,
}

/// A link from one operator, which connects, to another.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The port at which the first operator reaches the second.
    pub(crate) port: u16,
    state: watch::Sender<State>,
}

impl Link {
    pub(crate) async fn open(from: usize, to: usize, target: u16) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (state, watched) = watch::channel(State::default());
        tokio::spawn(relay(
            listener,
            SocketAddr::from(([127, 0, 0, 1], target)),
            watched,
        ));
        Ok(Self {
            from,
            to,
            port,
            state,
        })
    }

    /// Cuts all connections and refuses new ones, or allows them again.
    pub(crate) fn cut(&self, cut: bool) {
        self.state.send_modify(|state| state.cut = cut);
    }

    /// Delays all data.
    pub(crate) fn delay(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }
}

async fn relay(listener: TcpListener, target: SocketAddr, state: watch::Receiver<State>) {
    while let Ok((near, _)) = listener.accept().await {
        if state.borrow().cut {
            continue;
        }
        let state = state.clone();
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(target).await else {
                return;
            };
            let (near_read, near_write) = near.into_split();
            let (far_read, far_write) = far.into_split();
            let mut until_cut = state.clone();
            tokio::select! {
                _ = pump(near_read, far_write, &state) => {}
                _ = pump(far_read, near_write, &state) => {}
                _ = until_cut.wait_for(|state| state.cut) => {}
            }
        });
    }
}

async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    state: &watch::Receiver<State>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let delay = state.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}
