//! Who is at the other end of the unix socket.

use std::fs;

use tokio::net::UnixStream;

/// A client as the kernel names it (SO_PEERCRED): the process that connected, at that time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asker {
    /// Its process; none if that cannot be seen from this PID namespace.
    pub pid: Option<i32>,
    /// Its user.
    pub uid: Option<u32>,
    /// The name of its program, as far as it was still there.
    pub program: Option<String>,
}

impl Asker {
    /// The client of this connection.
    pub(super) fn of(stream: &UnixStream) -> Self {
        let Ok(credentials) = stream.peer_cred() else { return Self::default() };
        let pid = credentials.pid().filter(|pid| *pid > 0);
        let program = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        Self { pid, uid: Some(credentials.uid()), program: program.map(|name| name.trim_end().to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_is_known_by_process_user_and_program() {
        let (ours, _theirs) = UnixStream::pair().expect("a pair");
        let asker = Asker::of(&ours);
        assert_eq!(asker.pid, i32::try_from(std::process::id()).ok());
        assert_eq!(asker.uid, Some(rustix::process::geteuid().as_raw()));
        let own = fs::read_to_string("/proc/self/comm").expect("a name");
        assert_eq!(asker.program.as_deref(), Some(own.trim_end()));
    }
}
