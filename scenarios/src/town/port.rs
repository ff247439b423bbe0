//! The town's service for programs that are no part of the town: real agents, and browsers behind them.

use super::Town;

impl Town {
    /// The service on a port of this machine as well, for programs that are no part of the town; its address.
    pub fn on_a_port(&self) -> String {
        let listener = self.runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = self.router.clone();
        self.runtime.spawn(async move { axum::serve(listener, router).await });
        url
    }
}
