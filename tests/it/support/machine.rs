//! Where the real binary is started, ended and started again.

use std::path::Path;

use tempfile::TempDir;

use super::process::Process;
use super::{Upstream, token};

/// A data folder and a model server that outlive the processes using them.
pub struct Machine {
    data_dir: TempDir,
    /// The model server that each process calls.
    pub upstream: Upstream,
}

impl Machine {
    /// A machine on which nothing has run yet.
    pub async fn new() -> Self {
        Self {
            data_dir: TempDir::new().expect("a temporary folder"),
            upstream: Upstream::start().await,
        }
    }

    /// Starts the service and waits until it is ready.
    pub async fn serve(&self, shutdown_timeout: &str) -> Process {
        self.serve_with(&[("SHUTDOWN_TIMEOUT", shutdown_timeout)]).await
    }

    /// Starts the service with more settings.
    pub async fn serve_with(&self, more: &[(&str, &str)]) -> Process {
        let url = self.upstream.url();
        let mut settings = vec![("JWT_SECRET_KEY", token::SECRET), ("LITELLM_URL", &url)];
        settings.extend_from_slice(more);
        Process::serve(self.data_dir.path(), &settings).await
    }

    /// The folder.
    pub fn data_dir(&self) -> &Path {
        self.data_dir.path()
    }
}
