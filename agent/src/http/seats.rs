//! Seats for those who ask for more than health.
//!
//! A connection takes its seat with the first such request and keeps it until it ends, since an answer that nobody reads
//! is held as long. `/livez` and `/readyz` need none, so they are answered whoever holds the seats.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Seats there are.
const SEATS: usize = 32;
/// Seats that one source can have.
const SEATS_OF_SOURCE: usize = 16;
/// What is answered without one.
const HEALTH: [&str; 2] = ["/livez", "/readyz"];

/// Who has how many.
#[derive(Clone, Debug, Default)]
pub(super) struct Seats(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// The seat of a connection, if it has one; given back when the connection ends.
#[derive(Clone, Debug)]
pub(super) struct Seat(Arc<Claim>);

#[derive(Debug)]
struct Claim {
    seats: Seats,
    source: IpAddr,
    taken: Mutex<bool>,
}

impl Seats {
    /// What a connection from this source will need.
    pub(super) fn of(&self, source: IpAddr) -> Seat {
        Seat(Arc::new(Claim { seats: self.clone(), source, taken: Mutex::new(false) }))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, source: IpAddr) -> bool {
        let mut seats = self.lock();
        let all: usize = seats.values().sum();
        let own = seats.entry(source).or_default();
        let free = all < SEATS && *own < SEATS_OF_SOURCE;
        if free {
            *own += 1;
        }
        seats.retain(|_, taken| *taken > 0);
        free
    }

    fn give_back(&self, source: IpAddr) {
        let mut seats = self.lock();
        if let Some(own) = seats.get_mut(&source) {
            *own = own.saturating_sub(1);
        }
        seats.retain(|_, taken| *taken > 0);
    }
}

impl Seat {
    /// Whether the connection has its seat now.
    fn take(&self) -> bool {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = *taken || self.0.seats.take(self.0.source);
        *taken
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if *self.taken.get_mut().unwrap_or_else(PoisonError::into_inner) {
            self.seats.give_back(self.source);
        }
    }
}

/// Answers 503 where there is no seat for a request that needs one.
pub(super) async fn check(State(seat): State<Seat>, request: Request, next: Next) -> Response {
    if HEALTH.contains(&request.uri().path()) || seat.take() {
        return next.run(request).await;
    }
    let text = format!(
        "{SEATS_OF_SOURCE} clients from one address, or {SEATS} in all, are being served already; try again\n"
    );
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_has_half_the_seats_and_each_is_given_back() {
        let seats = Seats::default();
        let take = |last: u8, number: usize| -> Vec<Seat> {
            let mut taken: Vec<_> = (0..number).map(|_| seats.of(IpAddr::from([10, 0, 0, last]))).collect();
            taken.retain(Seat::take);
            taken
        };
        let first = take(1, 20);
        assert_eq!(first.len(), SEATS_OF_SOURCE);
        assert!(first.iter().all(Seat::take), "it is the connection's");
        let second = take(2, 20);
        assert_eq!(second.len(), SEATS - SEATS_OF_SOURCE);
        assert_eq!(take(3, 1).len(), 0);
        drop(first);
        assert_eq!(take(3, 1).len(), 1);
        drop(second);
        assert!(seats.lock().is_empty());
    }
}
