use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How many devices, and how many user agents, of a user are kept.
const KEPT: usize = 30;

/// What is known of a user's earlier logins, to tell whether the next one is unusual. The newest are kept, a bounded number
/// of each kind.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginHistory {
    /// Hashes of browsers' own cookies, the last used last.
    pub devices: Vec<String>,
    /// Hashes of `User-Agent` headers, the last used last.
    pub user_agents: Vec<String>,
    /// Where the last login came from whose place is known.
    pub place: Option<LoginPlace>,
}

/// Where and when somebody logged in.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LoginPlace {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// When.
    pub at: Timestamp,
}

impl LoginHistory {
    /// Notes a login.
    pub fn add(&mut self, device: Option<&str>, user_agent: Option<&str>, place: Option<LoginPlace>) {
        for (list, used) in [(&mut self.devices, device), (&mut self.user_agents, user_agent)] {
            let Some(used) = used else { continue };
            list.retain(|known| known != used);
            list.push(used.to_owned());
            let too_many = list.len().saturating_sub(KEPT);
            list.drain(..too_many);
        }
        self.place = place.or(self.place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_keeps_the_devices_that_were_used_last() {
        let mut history = LoginHistory::default();
        for number in 0..KEPT {
            history.add(Some(&number.to_string()), Some("agent"), None);
        }
        history.add(Some("0"), None, None);
        history.add(Some("new"), None, None);
        assert_eq!(history.devices.len(), KEPT);
        assert_eq!(history.devices.first().map(String::as_str), Some("2"));
        assert_eq!(history.devices[KEPT - 2..], ["0", "new"]);
        assert_eq!(history.user_agents, ["agent"]);
    }

    #[test]
    fn a_login_from_an_unknown_place_leaves_the_last_known_one() {
        let mut history = LoginHistory::default();
        let place = LoginPlace { latitude: 1.0, longitude: 2.0, at: Timestamp::from_ms(3) };
        history.add(None, None, Some(place));
        history.add(None, None, None);
        assert_eq!(history.place, Some(place));
    }
}
