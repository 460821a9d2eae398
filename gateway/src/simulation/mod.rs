//! The gateway's core between simulated phones, in virtual time.
//!
//! ```text
//! phone -> Link (loses, repeats, delays, swaps by seed) -> Core of the owning shard -> Link -> phone
//!                                                          | media, journal, names: answered by the World
//! ```
//!
//! One file a scenario, named like an incident; `random_phones` places calls of every kind over a bad network and
//! checks the laws after each run. A scenario runs with 1, 2 and 4 shards, over UDP and over TCP.
//!
//! How to write one: `trunk` has the stage and the verbs (dial, incoming, respond, request, connect, hang_up), `phone` the
//! abilities of the parties with three lines for each, `legs` and `laws` what is checked at the end without being asked.
//! `between_phones` holds the phones against each other, without a gateway, before they judge one.

mod agreement;
mod connections;
mod invite_with_replaces;
mod ladder;
mod laws;
mod legs;
mod link;
mod log;
mod media;
mod phone;
mod transfer_that_fails;
mod trunk;
mod whims;
mod world;

mod a_contact_of_no_use;
mod a_new_configuration;
mod a_request_without_answer;
mod allow_is_true;
mod answers_of_no_common_codec;
mod answers_without_media;
mod asked_whether_calls_are_taken;
mod asks_before_the_answer;
mod attended_transfer;
mod between_phones;
mod blind_transfer;
mod both_ends_agree;
mod branches_used_again;
mod bye_crossing_bye;
mod call_flows;
mod caller_behind_nat;
mod cancel_before_any_answer;
mod carrier_challenge;
mod carrier_says_only_100;
mod challenged_again;
mod codecs_of_a_peer;
mod connected;
mod connection_lost_in_mid_call;
mod credentials_for_another_number;
mod delayed_offer;
mod descriptions_under_any_name;
mod drain_and_stop;
mod emergency;
mod endpoint_of_a_service;
mod failover;
mod flood_of_calls_for_help;
mod flood_of_refused_calls;
mod flood_without_acknowledgement;
mod ghost_ring;
mod goes_on_from_a_snapshot;
mod header_crossing;
mod headers_of_a_peer;
mod headers_that_may_cross;
mod headers_that_stay;
mod help_by_another_name;
mod hidden_caller_of_a_known_house;
mod hold_and_resume;
mod late_200_after_cancel;
mod late_answer_of_a_left_host;
mod location_in_the_body;
mod loops;
mod lost_ack;
mod media_host_by_name;
mod media_of_a_stranger;
mod media_sent_to_ourselves;
mod media_workers_say_nothing;
mod messages_that_cross;
mod noise_on_the_line;
mod numbers_as_peers_write_them;
mod offers_out_of_turn;
mod on_net_call;
mod one_checked_identity;
mod one_peer_asks_too_much;
mod open_to_anybody;
mod our_name;
mod outbound_proxy;
mod picked_up;
mod plain_call;
mod pracks_that_fail;
mod random_phones;
mod read_once;
mod refer_that_crosses;
mod refusals_in_the_log;
mod refused_inside_a_call;
mod register_to_a_carrier;
mod registered_customer;
mod reliable_ringing;
mod requests_from_strangers;
mod requests_too_large;
mod rings_for_ever;
mod rings_in_mid_call;
mod sent_on;
mod serial_forks;
mod session_timers;
mod several_phones_ring;
mod streams_of_an_answer;
mod timers_of_a_carrier;
mod transferred_twice;
mod trying_at_once;
mod two_networks;
mod updates;
mod ways;
mod what_a_refusal_means;
mod what_the_caller_is_told;
mod what_the_log_says;
mod where_a_dialog_leads;
mod who_took_the_call;
mod whose_sip_log;
mod why_it_ended;
mod words_of_a_peer;
mod written_loosely;
mod wrong_digests;
