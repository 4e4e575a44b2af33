//! What the servers of a trial used, together.

use crate::record::{ServerPart, ServerRecord, Trial};

/// What all servers of a trial used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServerUse {
    /// User and system time of all processes of all servers, in seconds.
    pub cpu_s: f64,
    /// Cores in use on average while the first server was looked at: under the load, where there was one.
    pub cpu_mean: Option<f64>,
    /// The most resident memory that one of the servers had at once.
    pub rss_peak_bytes: u64,
    /// The most threads that one of them had at once.
    pub threads_max: u64,
}

/// What the servers of a trial used; `None` where nobody could look at them.
pub fn server_use(trial: &Trial) -> Option<ServerUse> {
    used_by(&trial.servers.iter().collect::<Vec<_>>())
}

/// What these servers used; `None` where nobody could look at them.
pub fn used_by(servers: &[&ServerRecord]) -> Option<ServerUse> {
    // A process has a thread: without any, nobody looked.
    let measured = || servers.iter().filter(|server| server.threads_max > 0);
    let first = measured().next()?;
    Some(ServerUse {
        cpu_s: measured().map(|server| server.cpu_s).sum(),
        // One look shows no time between two.
        cpu_mean: (first.samples.len() > 1).then_some(first.cpu_mean),
        rss_peak_bytes: measured().map(|server| server.rss_peak_bytes).max().unwrap_or(0),
        threads_max: measured().map(|server| server.threads_max).max().unwrap_or(0),
    })
}

/// The servers of a trial by what they were for, in the order in which they were first needed.
pub fn by_part(trial: &Trial) -> Vec<(ServerPart, Vec<&ServerRecord>)> {
    let mut parts: Vec<(ServerPart, Vec<&ServerRecord>)> = Vec::new();
    for server in &trial.servers {
        match parts.iter_mut().find(|(part, _)| *part == server.part) {
            Some((_, servers)) => servers.push(server),
            None => parts.push((server.part, vec![server])),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ServerSample;

    #[test]
    fn what_several_servers_used_adds_up_and_their_peaks_do_not() {
        let server = |part, cpu_s, rss_peak_bytes, samples| ServerRecord {
            part,
            cpu_s,
            cpu_mean: cpu_s / 10.0,
            rss_peak_bytes,
            threads_max: 4,
            samples: vec![ServerSample::default(); samples],
            ..ServerRecord::default()
        };
        let servers = vec![
            server(ServerPart::Load, 5.0, 10, 2),
            server(ServerPart::DirtyCheck, 1.0, 30, 2),
            ServerRecord { part: ServerPart::Diagnosis, ..ServerRecord::default() },
            server(ServerPart::DirtyCheck, 2.0, 20, 2),
        ];
        let trial = Trial { servers, ..Trial::default() };
        let used = ServerUse { cpu_s: 8.0, cpu_mean: Some(0.5), rss_peak_bytes: 30, threads_max: 4 };
        assert_eq!(server_use(&trial), Some(used));
        let parts: Vec<_> = by_part(&trial).into_iter().map(|(part, servers)| (part, servers.len())).collect();
        assert_eq!(parts, [(ServerPart::Load, 1), (ServerPart::DirtyCheck, 2), (ServerPart::Diagnosis, 1)]);
        assert_eq!(server_use(&Trial::default()), None);
        let once = Trial { servers: vec![server(ServerPart::Load, 5.0, 10, 1)], ..Trial::default() };
        assert_eq!(server_use(&once).and_then(|used| used.cpu_mean), None);
    }
}
