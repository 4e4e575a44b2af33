//! A NATS server with JetStream, and agents that are connected to it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{Outcome, Runner, Running, wait_for};

/// A NATS server of its own, on a port from the kernel; it ends with the test.
pub struct Nats {
    folder: TempDir,
    child: Child,
    pub url: String,
}

impl Nats {
    pub fn start() -> Nats {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        // Debian keeps it where only root looks.
        let program =
            ["/usr/sbin/nats-server", "/usr/local/bin/nats-server"].into_iter().find(|path| Path::new(path).exists());
        let mut command = Command::new(program.unwrap_or("nats-server"));
        command.args(["-a", "127.0.0.1", "-p", "-1", "-js", "-sd"]).arg(folder.path().join("store"));
        let output = fs::File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().expect("scripts/install-test-tools installs nats-server");
        let url = wait_for("the NATS server", || {
            let text = fs::read_to_string(&log).unwrap();
            let port = text.split("client connections on 127.0.0.1:").nth(1)?.split_whitespace().next()?.to_owned();
            text.contains("Server is ready").then(|| format!("nats://127.0.0.1:{port}"))
        });
        Nats { folder, child, url }
    }

    /// An agent that is ready.
    pub fn agent(&self, name: &str, arguments: &[&str]) -> Agent {
        self.agent_with(name, arguments, &[])
    }

    /// The same with variables of its own.
    pub fn agent_with(&self, name: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Agent {
        let runner = Runner::new(&["agent", "--nats", &self.url, "--name", name]).arguments(arguments);
        let runner = variables.iter().fold(runner, |runner, (name, value)| runner.env(name, value));
        let agent = Agent(Some(runner.start()));
        wait_for("the agent", || agent.said().contains("is ready").then_some(()));
        agent
    }

    /// All that the server keeps, as bytes.
    pub fn stored(&self) -> Vec<u8> {
        let files = super::walk(&self.folder.path().join("store")).into_iter().filter(|path| path.is_file());
        files.flat_map(|path| fs::read(path).unwrap_or_default()).collect()
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An agent that is connected; it ends with the test.
pub struct Agent(Option<Running>);

impl Agent {
    /// What it has said so far.
    pub fn said(&self) -> String {
        self.0.as_ref().map(Running::said).unwrap_or_default()
    }

    pub fn kill(&self) {
        self.0.iter().for_each(|agent| agent.signal("KILL"));
    }

    /// Ends it as a service manager does.
    pub fn end(mut self) -> Outcome {
        let agent = self.0.take().unwrap();
        agent.signal("TERM");
        agent.wait()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let Some(agent) = self.0.take() else { return };
        let _ = std::process::Command::new("kill").args(["-KILL", &agent.pid().to_string()]).status();
        drop(agent.wait());
    }
}
