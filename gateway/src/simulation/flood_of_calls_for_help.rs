//! A flood of calls for help, or of what looks like some: the log has the first of each connector, and counts the others.

use super::log::log_of;
use super::trunk::Change;
use crate::core::Input;
use crate::peer::Transport;

const BRANCH: Change = (
    "more",
    "[[voice_connector]]\nid = \"lobby\"\ntermination = { allowlist = [\"10.0.0.9/32\"] }\n\
     origination = { options_interval = \"0s\", route = [{ host = \"10.0.0.9\" }] }\n\
     emergency = [{ country = \"US\", digits = [\"911\"], routing_number = \"+15105550333\" }]\n",
);

#[test]
fn the_log_has_the_first_of_each_connector() {
    let log = log_of(&[BRANCH], |trunk| {
        let lobby = trunk.world.phone("lobby", "10.0.0.9:5060", Transport::Udp);
        trunk.broadcast(|| Input::Stop);
        trunk.run(0.5);
        for _ in 0..2 {
            for _ in 0..100 {
                trunk.dial(trunk.pbx, "911");
            }
            trunk.run(1.0);
        }
        trunk.world.with(lobby, |phone, now| {
            let invite = phone.invite("vc.example.com", "+12065550888", "911", true).build();
            phone.place(now, invite)
        });
        trunk.run(10.0);
    });
    let with = |words: &[&str]| {
        log.iter().filter(|line| words.iter().all(|word| line.contains(word))).collect::<Vec<_>>()
    };
    for told in ["emergency: emergency call call_id=", "emergency: emergency call was not answered"] {
        assert_eq!(with(&["WARN", told, "connector=\"pbx\""]).len(), 10, "{told}");
        assert_eq!(with(&["WARN", told, "connector=\"lobby\""]).len(), 1, "{told}: another's flood");
    }
    for counted in
        ["more emergency calls connector=\"pbx\" left_out=190", "more emergency calls were not answered"]
    {
        assert_eq!(
            with(&["WARN", counted, "connector=\"pbx\"", "left_out=190"]).len(),
            1,
            "{counted}: {log:#?}"
        );
    }
}
