//! A host sends a call on to other numbers: whether these may be called, for whom, and where they are.

use config::ConnectorId;
use smol_str::{SmolStr, ToSmolStr, format_smolstr};

use super::{CallKey, Core};
use crate::admit::{self, Admitted, Facts, Outcome};
use crate::call::{Event, Redirected, SentOn};
use crate::clock::Now;
use crate::media::Side;
use crate::peer::Party;
use crate::record::Forward;
use crate::reply::Cause;

impl Core {
    /// Admits and routes the first number that may be called, or says why none may.
    pub(super) fn redirect(&mut self, now: Now, key: CallKey, redirected: &Redirected) -> Option<Event> {
        let mut sent_on = self.sent_on(now, key, redirected);
        if let Err(cause) = &mut sent_on {
            if let Some(transaction_id) = self.tells_of_call(now, key) {
                tracing::info!(
                    %transaction_id,
                    status = cause.status.code(),
                    cause = self.shown(&cause.text),
                    "a call is not sent on"
                );
            }
            // The caller hears nothing of the number that the callee would rather be reached at.
            cause.text = format_smolstr!("Redirected ({}), not followed", redirected.status);
        }
        Some(Event::Redirected { sent_on })
    }

    fn sent_on(&mut self, now: Now, key: CallKey, redirected: &Redirected) -> Result<SentOn, Cause> {
        let nobody = || Cause::new(480, "No number that may be called");
        let slot = self.calls.get(&key).ok_or_else(nobody)?;
        let (account, source) = (slot.call.account().clone(), slot.call.endpoint(Side::A));
        self.give_back_forwards(key, account.forwards.len());
        // A customer forwards, and pays; what a carrier wants is for who called, and paid for it so far.
        let forwards = matches!(redirected.by, Party::VoiceConnector(_));
        let payer = match &redirected.by {
            Party::VoiceConnector(id) => Some((**id).into()),
            Party::Carrier(_) => {
                account.forwards.last().map(|one| one.connector.clone()).or(account.outbound)
            }
        };
        let live = self.live.clone();
        let payer: ConnectorId = payer
            .and_then(|payer| live.config.connector(&payer).map(|found| found.id.clone()))
            .ok_or_else(nobody)?;
        let transport = crate::peer::Transport::Udp; // Not looked at.
        let mut refused = None;
        let mut users = redirected.users.iter();
        while let Some(user) = users.next() {
            let mut facts =
                Facts::new(source.ok_or_else(nobody)?, transport, live.config.gateway.domain.as_str(), user);
            facts.from = Some(redirected.caller.clone());
            facts.privacy = redirected.hidden;
            if forwards {
                facts.diversion.push(account.callee.to_string());
            }
            let admitted = match admit::admit_target(&live.config, &payer, &facts).outcome {
                Outcome::Admit(admitted) if admitted.emergency.is_none() => admitted,
                Outcome::Admit(_) | Outcome::Challenge(_) => continue,
                Outcome::Refuse(refusal) => {
                    self.shared.metrics.refusal(refusal.verdict().cause);
                    refused.get_or_insert(Cause::from(refusal.verdict()));
                    continue;
                }
            };
            match self.way_on(now, key, &admitted, forwards) {
                Ok(routes) => {
                    let callee = SmolStr::from(sip::text::as_phrase(&admitted.dialled));
                    let country = admitted.plan.numbering.country().map(|country| country.to_smolstr());
                    let forward = forwards.then(|| Forward {
                        connector: payer.as_str().into(),
                        callee: callee.clone(),
                        country: country.clone(),
                    });
                    let domain = &live.config.gateway.domain;
                    let diversion = format!(
                        "<sip:{}@{domain}>;reason=unconditional",
                        sip::uri::escape_user(&account.callee)
                    );
                    let left = users.cloned().collect();
                    return Ok(SentOn { routes, callee, country, forward, diversion, left });
                }
                Err(cause) => {
                    refused.get_or_insert(cause);
                }
            }
        }
        Err(refused.unwrap_or_else(nobody))
    }

    /// The routes to a number, and a place among the calls of who forwards.
    fn way_on(
        &mut self,
        now: Now,
        key: CallKey,
        admitted: &Admitted,
        forwards: bool,
    ) -> Result<Vec<crate::call::Route>, Cause> {
        let permit = match forwards {
            true => Some(self.calling_place(now, admitted).map_err(|refusal| refusal.verdict())?),
            false => None,
        };
        let live = self.live.clone();
        let routes = self.routes(now, &live, admitted).map_err(|refusal| refusal.verdict())?;
        if let Some(permit) = permit {
            let payer = self.payer(admitted.connector.as_str(), false);
            payer.attempt();
            if let Some(slot) = self.calls.get_mut(&key) {
                slot.permits.forwards.push((permit, payer));
            }
        }
        Ok(routes)
    }
}
