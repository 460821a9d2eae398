//! Which connection gives way where all places are taken and a listed address wants one: its call may be for help.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::time::Instant;

use crate::peer::ConnectionId;

/// A connection that has a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub id: ConnectionId,
    pub remote: IpAddr,
    /// No allowlist names its peer.
    pub stranger: bool,
    /// When something came or went by it last.
    pub active: Instant,
}

/// The one that gives way to `newcomer`: a stranger's, or else one of the address that has most of them, the newcomer's own
/// where no other has more. Of those the one that was silent for longest. So nobody loses one to an address that has more.
pub(super) fn gives_way(newcomer: IpAddr, places: &[Place]) -> Option<ConnectionId> {
    let longest_silent = |among: &dyn Fn(&Place) -> bool| {
        places.iter().filter(|place| among(place)).min_by_key(|place| place.active).map(|place| place.id)
    };
    let stranger = longest_silent(&|place| place.stranger);
    if stranger.is_some() {
        return stranger;
    }
    let mut held = HashMap::<IpAddr, usize>::new();
    for place in places {
        *held.entry(place.remote).or_default() += 1;
    }
    let (most, _) = held.into_iter().max_by_key(|(remote, count)| (*count, *remote == newcomer))?;
    longest_silent(&|place| place.remote == most)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn strangers_go_first_and_then_those_of_who_has_most() {
        let start = Instant::now();
        let place = |id, last, stranger, silent| Place {
            id: ConnectionId(id),
            remote: [192, 0, 2, last].into(),
            stranger,
            active: start - Duration::from_secs(silent),
        };
        let newcomer = [192, 0, 2, 9].into();
        let mut places = vec![
            place(1, 1, false, 50),
            place(2, 2, false, 5),
            place(3, 2, false, 7),
            place(4, 3, true, 1),
            place(5, 4, true, 2),
        ];
        assert_eq!(gives_way(newcomer, &places), Some(ConnectionId(5)));
        places.truncate(3);
        assert_eq!(gives_way(newcomer, &places), Some(ConnectionId(3)));
        // An address with as many as any loses one of its own.
        places.extend([place(6, 9, false, 4), place(7, 9, false, 3)]);
        assert_eq!(gives_way(newcomer, &places), Some(ConnectionId(6)));
        assert_eq!(gives_way(newcomer, &[]), None);
    }
}
