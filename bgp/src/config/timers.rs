//! The timers of one peer (RFC 4271 section 10).

use std::time::Duration;

/// How long a peer's state machine waits, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerConfig {
    /// Proposed hold time: zero (none), or at least 3 s.
    pub hold_time: Duration,
    /// KEEPALIVE interval; `None`: a third of the negotiated hold time, which is also the longest.
    pub keepalive_time: Option<Duration>,
    /// ConnectRetryTime: attempts to connect are this far apart.
    pub connect_retry_time: Duration,
    /// DelayOpenTime (RFC 4271 section 8.1.1): how long the peer's OPEN is waited for before ours goes out; `None`
    /// and zero: ours goes out at once.
    pub delay_open: Option<Duration>,
    /// Wait before the first active open of every start, so that simultaneous starts seldom collide.
    pub first_open_delay: Duration,
    /// IdleHoldTime after the first failure; it doubles with each further one (DampPeerOscillations).
    pub idle_hold_time: Duration,
    /// The longest IdleHoldTime.
    pub idle_hold_max: Duration,
    /// SendHoldTime (RFC 9687); `None`: the longer of eight minutes and twice the negotiated hold time.
    pub send_hold_time: Option<Duration>,
    /// The hold time while the peer's OPEN is awaited (RFC 4271 section 8.2.2: "a large value").
    pub handshake_time: Duration,
}

impl Default for TimerConfig {
    /// Hold time 90 s, attempts 5 s apart, IdleHoldTime from 1 s to 60 s, four minutes for the peer's OPEN.
    fn default() -> Self {
        Self {
            hold_time: Duration::from_secs(90),
            keepalive_time: None,
            connect_retry_time: Duration::from_secs(5),
            delay_open: None,
            first_open_delay: Duration::ZERO,
            idle_hold_time: Duration::from_secs(1),
            idle_hold_max: Duration::from_secs(60),
            send_hold_time: None,
            handshake_time: Duration::from_secs(240),
        }
    }
}
