//! What an Action's commands mean for this user: which factor is asked for or set up next (`reference/post-login.md`
//! section 1.7 and the rows `api.authentication.*` of section 3).

use action_api::MultifactorProvider;
use model::{FactorType, Tenant};

use crate::decision::FactorRequest;

/// A request names factors that this server does not have, or the user has none of them.
const NO_CHALLENGE: &str =
    "A second factor is required, but the user has none of those that an Action of this login asks for.";
const NO_ENROLLMENT: &str = "A second factor is required, but none of those that an Action of this login asks for can be set up here.";

/// What the user has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Show one of these.
    Challenge(Vec<FactorType>),
    /// Set up an authenticator app.
    Enroll,
}

/// What counts about the user and the login.
pub(crate) struct Standing<'a> {
    pub tenant: &'a Tenant,
    /// The factors that the user can show.
    pub usable: &'a [FactorType],
    /// Those that were shown in this login.
    pub shown: &'a [FactorType],
}

impl Standing<'_> {
    /// The next step of these requests, of which those that are met are taken away. `None`: all are.
    ///
    /// # Errors
    /// The login fails with this text: nothing of what the first request names can be shown or set up.
    pub(crate) fn next(&self, requests: &mut Vec<FactorRequest>) -> Result<Option<Step>, &'static str> {
        while let Some(request) = requests.first() {
            let known: Vec<_> =
                request.factors.iter().filter_map(|factor| ours(factor.factor_type)).collect();
            let step = match request.enroll {
                true => self.enrollment(&known)?,
                false => self.challenge(&known)?,
            };
            if step.is_some() {
                return Ok(step);
            }
            requests.remove(0);
        }
        Ok(None)
    }

    /// A recovery code will do wherever the user has lost what is asked for.
    fn challenge(&self, asked: &[FactorType]) -> Result<Option<Step>, &'static str> {
        if asked.iter().any(|factor| self.shown.contains(factor)) {
            return Ok(None);
        }
        let mut usable: Vec<_> =
            asked.iter().copied().filter(|factor| self.usable.contains(factor)).collect();
        if usable.is_empty() {
            return Err(NO_CHALLENGE);
        }
        let recovery = FactorType::RecoveryCode;
        if self.usable.contains(&recovery) && !usable.contains(&recovery) {
            usable.push(recovery);
        }
        Ok(Some(Step::Challenge(usable)))
    }

    /// Whoever has what is asked for goes on: to fail would lock them out from their second login on.
    fn enrollment(&self, asked: &[FactorType]) -> Result<Option<Step>, &'static str> {
        let can_set_up = self.tenant.has_factor(FactorType::Otp) && !self.usable.contains(&FactorType::Otp);
        if asked.contains(&FactorType::Otp) && can_set_up {
            return Ok(Some(Step::Enroll));
        }
        match asked.iter().any(|factor| self.usable.contains(factor)) {
            true => Ok(None),
            false => Err(NO_ENROLLMENT),
        }
    }

    /// What `api.multifactor.enable` asks for after the last Action: the user's factor or, for who has none, a new one.
    ///
    /// # Errors
    /// As [`Standing::next`].
    pub(crate) fn at_the_end(
        &self,
        provider: MultifactorProvider,
    ) -> Result<Option<FactorRequest>, &'static str> {
        match provider {
            MultifactorProvider::None => Ok(None),
            MultifactorProvider::Duo => {
                Err("This server has no Duo, which an Action of this login asks for.")
            }
            MultifactorProvider::Any
            | MultifactorProvider::Guardian
            | MultifactorProvider::GoogleAuthenticator => Ok(Some(self.any())),
        }
    }

    /// Whichever the user has or, for who has none, a new one.
    pub(crate) fn any(&self) -> FactorRequest {
        FactorRequest::for_otp(self.usable.is_empty())
    }
}

fn ours(factor: action_api::FactorType) -> Option<FactorType> {
    match factor {
        action_api::FactorType::Otp => Some(FactorType::Otp),
        action_api::FactorType::RecoveryCode => Some(FactorType::RecoveryCode),
        action_api::FactorType::Email
        | action_api::FactorType::Phone
        | action_api::FactorType::PushNotification
        | action_api::FactorType::WebauthnPlatform
        | action_api::FactorType::WebauthnRoaming => None,
    }
}

#[cfg(test)]
mod tests {
    use model::{TenantFlags, TenantId, Timestamp};

    use super::*;

    fn tenant(otp_factor: bool) -> Tenant {
        Tenant {
            id: TenantId::new("acme"),
            friendly_name: "Acme".to_owned(),
            default_audience: None,
            allowed_logout_urls: Vec::new(),
            sessions: Default::default(),
            flags: TenantFlags { otp_factor, recovery_code_factor: otp_factor, ..TenantFlags::default() },
            created_at: Timestamp::from_ms(0),
            settings_version: 0,
        }
    }

    fn request(enroll: bool, factors: &[action_api::FactorType]) -> FactorRequest {
        let factor = |factor_type: &action_api::FactorType| action_api::Factor {
            factor_type: *factor_type,
            options: None,
        };
        FactorRequest { enroll, factors: factors.iter().map(factor).collect(), pick: false }
    }

    const OTP: FactorType = FactorType::Otp;
    const CODE: FactorType = FactorType::RecoveryCode;

    #[test]
    fn what_the_user_has_is_asked_for_and_the_rest_ignored() {
        use action_api::FactorType::{Email, Otp, Phone, RecoveryCode, WebauthnRoaming};
        for (asked, usable, shown, step) in [
            (vec![Otp], vec![OTP], vec![], Ok(Some(vec![OTP]))),
            (vec![Phone, Otp], vec![OTP, CODE], vec![], Ok(Some(vec![OTP, CODE]))),
            (vec![RecoveryCode], vec![OTP, CODE], vec![], Ok(Some(vec![CODE]))),
            (vec![RecoveryCode], vec![OTP], vec![], Err(NO_CHALLENGE)),
            (vec![Otp], vec![], vec![], Err(NO_CHALLENGE)),
            (vec![Email, WebauthnRoaming], vec![OTP, CODE], vec![], Err(NO_CHALLENGE)),
            (vec![Otp], vec![OTP, CODE], vec![OTP], Ok(None)),
            (vec![Otp], vec![OTP, CODE], vec![CODE], Ok(Some(vec![OTP, CODE]))),
        ] {
            let standing = Standing { tenant: &tenant(true), usable: &usable, shown: &shown };
            let found = standing.next(&mut vec![request(false, &asked)]);
            assert_eq!(found, step.map(|step| step.map(Step::Challenge)), "{asked:?} {usable:?} {shown:?}");
        }
    }

    #[test]
    fn an_app_is_set_up_once_and_where_the_tenant_has_it() {
        use action_api::FactorType::{Otp, Phone};
        for (asked, enabled, usable, step) in [
            (vec![Otp], true, vec![], Ok(Some(Step::Enroll))),
            (vec![Phone, Otp], true, vec![], Ok(Some(Step::Enroll))),
            (vec![Otp], true, vec![OTP], Ok(None)),
            (vec![Otp], false, vec![], Err(NO_ENROLLMENT)),
            (vec![Phone], true, vec![], Err(NO_ENROLLMENT)),
            (vec![Phone], true, vec![OTP], Err(NO_ENROLLMENT)),
        ] {
            let standing = Standing { tenant: &tenant(enabled), usable: &usable, shown: &[] };
            let found = standing.next(&mut vec![request(true, &asked)]);
            assert_eq!(found, step, "{asked:?} {enabled} {usable:?}");
        }
    }

    #[test]
    fn requests_are_met_one_after_the_other() {
        use action_api::FactorType::{Otp, RecoveryCode};
        let mut requests =
            vec![request(true, &[Otp]), request(false, &[Otp]), request(false, &[RecoveryCode])];
        let standing = Standing { tenant: &tenant(true), usable: &[OTP, CODE], shown: &[OTP] };
        assert_eq!(standing.next(&mut requests), Ok(Some(Step::Challenge(vec![CODE]))));
        assert_eq!(requests.len(), 1);
    }
}
