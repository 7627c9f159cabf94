//! `vault://MOUNT/PATH#KEY`: HashiCorp Vault, and OpenBao, which speaks the same.
//!
//! Source: HashiCorp's API documentation: "KV secrets engine, version 2" and "version 1", "Token",
//! "AppRole" and "AWS auth method", `/sys/leases`, and "HTTP API" for headers and status codes.
//!
//! A token is renewed when two thirds of its life are over, and where that fails we log in again; a
//! login is also tried once when a read is refused, because tokens are revoked. A secret that Vault
//! only lends (it has a lease) is renewed in the middle of its life instead of being lent anew, so
//! that all keys of one reading belong together.
//!
//! Deliberately lacking: following redirects, since they would take the token along (a standby
//! forwards requests by itself); mounts whose name holds a `/`; what the server says in its error
//! messages, which may repeat what it was sent: the status and the path tell enough.

mod http;
mod login;

use super::aws::AwsStores;
use super::aws_sm::wipe;
use super::config::VaultConfig;
use super::reference::InVault;
use super::{Found, SecretError};
use crate::clock::Clock;
use http::{Answer, Http, Problem};
use jiff::{SignedDuration, Timestamp};
use login::{Login, Token};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

/// A connection to Vault.
pub struct Vault {
    http: Http,
    login: Login,
    unversioned_mounts: Vec<String>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// What Vault lent us, by path.
    lent: HashMap<String, Lent>,
}

/// A secret with a lease.
struct Lent {
    data: Value,
    id: String,
    renewable: bool,
    life: Life,
}

/// From when to when something is good.
#[derive(Clone, Copy)]
struct Life {
    from: Timestamp,
    seconds: u64,
}

impl Life {
    /// Seconds since its beginning.
    fn age_s(self, now: Timestamp) -> u64 {
        u64::try_from(now.duration_since(self.from).as_secs()).unwrap_or(0)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        wipe(&mut self.data);
    }
}

impl Vault {
    /// Reads the settings and prepares TLS; connects to nothing yet.
    pub fn new(config: Option<VaultConfig>, clock: Arc<dyn Clock>) -> Result<Vault, SecretError> {
        let useless =
            |problem: String| SecretError::Useless { reference: "vault://…".to_owned(), problem };
        let config = config.ok_or_else(|| useless("`secrets.vault` is not configured".into()))?;
        let login = Login::new(&config.auth).map_err(useless)?;
        let http = Http::new(&config).map_err(useless)?;
        let unversioned_mounts = config.unversioned_mounts;
        Ok(Vault { http, login, unversioned_mounts, clock, state: Mutex::default() })
    }

    /// Reads one key of a secret.
    pub async fn read(
        &self,
        secret: &InVault,
        reference: &str,
        own: &AwsStores,
    ) -> Result<Found, SecretError> {
        // One request at a time: a login or a lease serves all that wait for it.
        let mut state = self.state.lock().await;
        let (mut data, good_for_s) = if self.unversioned_mounts.contains(&secret.mount) {
            self.unversioned(&mut state, secret, reference, own).await?
        } else {
            let path = format!("{}/data/{}", secret.mount, secret.path);
            let mut answer = self.get(&mut state, &path, reference, own).await?;
            (answer.take(&["data", "data"]), None)
        };
        let text = data.get(&secret.key).and_then(|it| match it {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(bool) => Some(bool.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        });
        wipe(&mut data);
        let text = text.ok_or_else(|| SecretError::Useless {
            reference: reference.to_owned(),
            problem: format!("has no text under key `{}`", secret.key),
        })?;
        Ok(Found { good_for_s, ..Found::text(reference, Zeroizing::new(text))? })
    }

    /// KV version 1, or an engine that lends. Returns the data and the seconds that are left of it.
    async fn unversioned(
        &self,
        state: &mut State,
        secret: &InVault,
        reference: &str,
        own: &AwsStores,
    ) -> Result<(Value, Option<u64>), SecretError> {
        let path = format!("{}/{}", secret.mount, secret.path);
        if let Some(known) = self.still_lent(state, &path, reference, own).await {
            return Ok(known);
        }
        let now = self.clock.now();
        let mut answer = self.get(state, &path, reference, own).await?;
        let data = answer.take(&["data"]);
        let seconds = answer.number("lease_duration");
        let id = answer.text("lease_id");
        if id.is_empty() {
            // KV version 1: `lease_duration` is advice on how often to look.
            return Ok((data, (seconds != 0).then_some(seconds)));
        }
        let life = Life { from: now, seconds };
        let renewable = answer.flag("renewable");
        state.lent.insert(path, Lent { data: data.clone(), id, renewable, life });
        Ok((data, Some(seconds)))
    }

    /// What was lent before and is still good; renewed from the middle of its life on.
    async fn still_lent(
        &self,
        state: &mut State,
        path: &str,
        reference: &str,
        own: &AwsStores,
    ) -> Option<(Value, Option<u64>)> {
        let now = self.clock.now();
        let lent = state.lent.remove(path)?;
        let left = |life: Life| life.seconds.saturating_sub(life.age_s(now));
        if lent.life.age_s(now) < lent.life.seconds / 2 {
            let known = (lent.data.clone(), Some(left(lent.life)));
            state.lent.insert(path.to_owned(), lent);
            return Some(known);
        }
        if !lent.renewable || left(lent.life) == 0 {
            return None;
        }
        let body = json!({"lease_id": lent.id, "increment": lent.life.seconds});
        let token = self.token(state, reference, own).await.ok()?;
        let call = self.http.call(Method::POST, "sys/leases/renew", Some(&token), Some(&body));
        match call.await {
            Ok(answer) => {
                let life = Life { from: now, seconds: answer.number("lease_duration") };
                let renewable = answer.flag("renewable");
                let known = (lent.data.clone(), Some(life.seconds));
                let (data, id) = (lent.data.clone(), lent.id.clone());
                state.lent.insert(path.to_owned(), Lent { data, id, renewable, life });
                Some(known)
            }
            // Not reached, but good for a while: it is asked again at the next look-up.
            Err(problem) if problem.is_transient() => {
                let known = (lent.data.clone(), Some(left(lent.life)));
                state.lent.insert(path.to_owned(), lent);
                Some(known)
            }
            Err(_) => None,
        }
    }

    /// Reads a path. Where it is refused, the token may have been revoked: once, we log in anew.
    async fn get(
        &self,
        state: &mut State,
        path: &str,
        reference: &str,
        own: &AwsStores,
    ) -> Result<Answer, SecretError> {
        let was_known = state.token.is_some();
        let token = self.token(state, reference, own).await?;
        match self.http.call(Method::GET, path, Some(&token), None).await {
            Err(Problem::Denied(_)) if was_known => {
                state.token = None;
                let token = self.token(state, reference, own).await?;
                let again = self.http.call(Method::GET, path, Some(&token), None).await;
                again.map_err(|it| it.of(reference))
            }
            answer => answer.map_err(|it| it.of(reference)),
        }
    }

    /// A token that is good: the known one, renewed in time, or that of a new login.
    async fn token(
        &self,
        state: &mut State,
        reference: &str,
        own: &AwsStores,
    ) -> Result<super::Secret, SecretError> {
        let now = self.clock.now();
        if let Some(token) = &state.token {
            let age_s = token.life.map_or(0, |it| it.age_s(now));
            let life_s = token.life.map_or(u64::MAX, |it| it.seconds);
            if age_s < life_s / 3 * 2 {
                return Ok(token.secret.clone());
            }
            if token.renewable && age_s < life_s {
                match login::renewed(&self.http, token, now).await {
                    Ok(renewed) => {
                        return Ok(state.token.insert(renewed).secret.clone());
                    }
                    Err(error) if error.is_transient() => return Ok(token.secret.clone()),
                    Err(_) => {}
                }
            }
        }
        state.token = None;
        let token = self.login.token(&self.http, own, reference, now).await?;
        Ok(state.token.insert(token).secret.clone())
    }
}

/// Until when a life of so many seconds lasts, if it ends at all.
fn life(from: Timestamp, seconds: u64) -> Option<Life> {
    (seconds != 0).then_some(Life { from, seconds })
}

/// The moment as the signature of AWS takes it.
fn system_time(moment: Timestamp) -> std::time::SystemTime {
    let since = moment.duration_since(Timestamp::UNIX_EPOCH).max(SignedDuration::ZERO);
    std::time::UNIX_EPOCH + since.unsigned_abs()
}
