//! What cannot wait, told by a webhook: a carrier without a host that answers, what stands between the gateway and its
//! calls, a journal that fills up, a certificate that ends soon, a connector that has used up its minutes of the day.

mod book;
mod post;
mod seen;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use config::Config;

use crate::clock::Now;
use crate::core::Shared;
use crate::listen::Tls;
use crate::metrics::{Page, as_f64};
use crate::record::Recorder;
use book::Book;
use post::Post;
use seen::Seen;

/// Where it is looked.
pub(super) struct Sources {
    pub shared: Arc<Shared>,
    pub tls: Arc<Tls>,
    pub recorder: Recorder,
}

/// See the module.
#[derive(Default)]
pub(super) struct Alerts {
    book: Mutex<Book>,
    /// Posts that were taken, and that were not.
    posts: [AtomicU64; 2],
}

impl Alerts {
    /// Looks at everything, and starts a post where one is due and wanted.
    pub fn look(self: &Arc<Self>, now: Now, sources: &Sources, config: &Arc<Config>) {
        let unix = now.unix;
        let mut book = self.book();
        book.observe(unix, Seen::at(now, sources, config).wrong(unix));
        let Some(webhook) = &config.alerts.webhook else { return book.nobody_is_told() };
        let Some(batch) = book.take(unix, config.alerts.interval) else { return };
        drop(book);
        let post = Post { webhook: webhook.clone(), unix, body: batch.json(&config.gateway.region, unix) };
        let (alerts, config) = (self.clone(), config.clone());
        tokio::spawn(async move {
            let posted = post.send(config.alerts.secret.as_ref(), config.alerts.ca.as_deref()).await;
            let [taken, failed] = &alerts.posts;
            match posted {
                Ok(()) => {
                    taken.fetch_add(1, Relaxed);
                    alerts.book().posted();
                }
                Err(error) => {
                    failed.fetch_add(1, Relaxed);
                    if alerts.book().not_posted(batch, unix) {
                        tracing::warn!(%error, "alerts cannot be posted");
                    }
                }
            }
        });
    }

    /// Writes their families.
    pub fn show(&self, page: &mut Page) {
        let mut posts = page.family("voice_connector_alert_posts_total");
        for (result, count) in ["taken", "failed"].iter().zip(&self.posts) {
            let count = usize::try_from(count.load(Relaxed)).unwrap_or(usize::MAX);
            posts.show(&[("result", result)], as_f64(count));
        }
        let mut raised = page.family("voice_connector_alerts_raised");
        for (kind, count) in self.book().raised() {
            raised.show(&[("alert", kind)], as_f64(count));
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
