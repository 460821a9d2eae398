//! Random operations at random times: whatever the peers and the user do, the table drains to empty.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Operation {
    Receive { method: usize, branch: u8 },
    ReceiveResponse { method: usize, branch: u8, code: u16 },
    Request { method: usize, branch: u8 },
    Respond { nth: usize, code: u16 },
    Cancel { nth: usize },
    ClientError { nth: usize },
    ServerError { nth: usize },
    Wait { ms: u64 },
}

const METHODS: [&str; 4] = ["INVITE", "BYE", "ACK", "CANCEL"];

fn operation() -> impl Strategy<Value = Operation> {
    let code = || prop_oneof![100..=199_u16, 200..=202_u16, 300..=699_u16];
    prop_oneof![
        4 => (0..4_usize, 0..4_u8).prop_map(|(method, branch)| Operation::Receive { method, branch }),
        4 => (0..4_usize, 0..4_u8, code())
            .prop_map(|(method, branch, code)| Operation::ReceiveResponse { method, branch, code }),
        2 => (0..2_usize, 0..4_u8).prop_map(|(method, branch)| Operation::Request { method, branch }),
        4 => (0..8_usize, code()).prop_map(|(nth, code)| Operation::Respond { nth, code }),
        2 => (0..8_usize).prop_map(|nth| Operation::Cancel { nth }),
        1 => (0..8_usize).prop_map(|nth| Operation::ClientError { nth }),
        1 => (0..8_usize).prop_map(|nth| Operation::ServerError { nth }),
        4 => (0..40_000_u64).prop_map(|ms| Operation::Wait { ms }),
    ]
}

/// Branches 0 to 2 have the cookie, 3 is of an RFC 2543 peer.
fn message(method: usize, branch: u8) -> Message {
    let branch = if branch < 3 { format!("z9hG4bK{branch}") } else { "3".to_owned() };
    request(METHODS[method], &branch)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn drains_to_empty(operations in prop::collection::vec(operation(), 0..60), reliable: bool) {
        let mut user = User { table: Table::new(reliable), clients: Vec::new() };
        for operation in operations {
            user.act(operation);
        }
        user.answer_and_hang_up();
        user.table.finish();
        for (id, method) in &user.clients {
            let ends = user.table.ends.get(id).cloned().unwrap_or_default();
            // 2xx are repeated, and may come after the connection broke (0).
            let repeated_2xx = *method == "INVITE"
                && ends.iter().enumerate().all(|(at, code)| (200..300).contains(code) || (at, *code) == (0, 0));
            prop_assert!(!ends.is_empty(), "{method} did not end");
            prop_assert!(ends.len() == 1 || repeated_2xx, "{method} ended by {ends:?}");
        }
    }
}

/// A transaction user that does as it is told.
struct User {
    table: Table,
    clients: Vec<(ClientId, &'static str)>,
}

impl User {
    fn act(&mut self, operation: Operation) {
        let table = &mut self.table;
        match operation {
            Operation::Receive { method, branch } => {
                table.receive(&message(method, branch));
            }
            Operation::ReceiveResponse { method, branch, code } => {
                table.receive(&reply(&message(method, branch), code));
            }
            Operation::Request { method, branch } => {
                let id = table.request(&message(method, branch));
                self.clients.push((id, METHODS[method]));
            }
            Operation::Respond { nth, code } => {
                if let Some((id, request)) = table.requests.iter().nth_back(nth).cloned() {
                    table.respond_to(id, &reply(&request, code));
                }
            }
            Operation::Cancel { nth } => {
                if let Some((id, _)) = self.clients.iter().nth_back(nth) {
                    table.cancel(*id);
                }
            }
            Operation::ClientError { nth } => {
                if let Some((id, _)) = self.clients.iter().nth_back(nth) {
                    table.transactions.handle_client_error(table.now, *id);
                    table.drain();
                }
            }
            Operation::ServerError { nth } => {
                if let Some((id, _)) = table.requests.iter().nth_back(nth) {
                    table.transactions.handle_server_error(table.now, *id);
                    table.drain();
                }
            }
            Operation::Wait { ms } => {
                let elapsed = table.now - table.start;
                table.at(u64::try_from(elapsed.as_millis()).unwrap() + ms);
            }
        }
    }

    /// What the table asks of its user: a final to every request, an end to every ringing INVITE.
    fn answer_and_hang_up(&mut self) {
        for (id, request) in self.table.requests.clone() {
            self.table.respond_to(id, &reply(&request, 500));
        }
        for (id, _) in &self.clients {
            self.table.cancel(*id);
        }
    }
}
