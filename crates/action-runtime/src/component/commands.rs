//! What a component asks for: each function makes one command.

use action_api::{
    Command, CookieMode, Factor, FactorOptions, FactorType, Handler, MultifactorProvider, PhoneMethod,
};
use serde_json::{Map, Value};

use super::Answered;
use super::bindings::postern::actions::authentication as auth;
use super::bindings::postern::actions::{
    access, access_token, id_token, prompt, refresh_token, session, transaction, user, validation,
};
use crate::host::Host;

/// Bytes that a moment or a word takes.
const WORD: usize = 8;

impl access::Host for Host {
    fn deny(&mut self, reason: String) -> Answered<()> {
        let bytes = reason.len();
        self.take(Command::AccessDeny { reason }, bytes)
    }
}

impl session::Host for Host {
    fn set_expires_at(&mut self, absolute: f64) -> Answered<()> {
        self.take(Command::SessionSetExpiresAt { absolute }, WORD)
    }

    fn set_idle_expires_at(&mut self, inactivity: f64) -> Answered<()> {
        self.take(Command::SessionSetIdleExpiresAt { inactivity }, WORD)
    }

    fn revoke(&mut self, reason: String, preserve_refresh_tokens: bool) -> Answered<()> {
        let bytes = reason.len();
        self.take(Command::SessionRevoke { reason, preserve_refresh_tokens }, bytes)
    }

    fn set_cookie_mode(&mut self, mode: session::CookieMode) -> Answered<()> {
        let mode = match mode {
            session::CookieMode::Persistent => CookieMode::Persistent,
            session::CookieMode::NonPersistent => CookieMode::NonPersistent,
        };
        self.take(Command::SessionSetCookieMode { mode }, WORD)
    }

    fn set_metadata(&mut self, key: String, value: Option<String>) -> Answered<()> {
        let bytes = key.len() + value.as_ref().map_or(0, String::len);
        self.take(Command::SessionSetMetadata { key, value }, bytes)
    }

    fn delete_metadata(&mut self, key: String) -> Answered<()> {
        let bytes = key.len();
        self.take(Command::SessionDeleteMetadata { key }, bytes)
    }

    fn evict_metadata(&mut self) -> Answered<()> {
        self.take(Command::SessionEvictMetadata, 0)
    }
}

impl id_token::Host for Host {
    fn set_custom_claim(&mut self, key: String, value: String) -> Answered<()> {
        let bytes = key.len();
        self.take_json(bytes, [&value], |[value]| Ok(Command::IdTokenSetCustomClaim { key, value }))
    }
}

impl access_token::Host for Host {
    fn set_custom_claim(&mut self, key: String, value: String) -> Answered<()> {
        let bytes = key.len();
        self.take_json(bytes, [&value], |[value]| Ok(Command::AccessTokenSetCustomClaim { key, value }))
    }

    fn add_scope(&mut self, scope: String) -> Answered<()> {
        let bytes = scope.len();
        self.take(Command::AccessTokenAddScope { scope }, bytes)
    }

    fn remove_scope(&mut self, scope: String) -> Answered<()> {
        let bytes = scope.len();
        self.take(Command::AccessTokenRemoveScope { scope }, bytes)
    }
}

impl refresh_token::Host for Host {
    fn revoke(&mut self, reason: String) -> Answered<()> {
        let bytes = reason.len();
        self.take(Command::RefreshTokenRevoke { reason }, bytes)
    }

    fn set_expires_at(&mut self, absolute: f64) -> Answered<()> {
        self.take(Command::RefreshTokenSetExpiresAt { absolute }, WORD)
    }

    fn set_idle_expires_at(&mut self, inactivity: f64) -> Answered<()> {
        self.take(Command::RefreshTokenSetIdleExpiresAt { inactivity }, WORD)
    }

    fn set_metadata(&mut self, key: String, value: Option<String>) -> Answered<()> {
        let bytes = key.len() + value.as_ref().map_or(0, String::len);
        self.take(Command::RefreshTokenSetMetadata { key, value }, bytes)
    }

    fn delete_metadata(&mut self, key: String) -> Answered<()> {
        let bytes = key.len();
        self.take(Command::RefreshTokenDeleteMetadata { key }, bytes)
    }

    fn evict_metadata(&mut self) -> Answered<()> {
        self.take(Command::RefreshTokenEvictMetadata, 0)
    }
}

impl user::Host for Host {
    fn set_user_metadata(&mut self, key: String, value: String) -> Answered<()> {
        let bytes = key.len();
        self.take_json(bytes, [&value], |[value]| Ok(Command::UserSetUserMetadata { key, value }))
    }

    fn set_app_metadata(&mut self, key: String, value: String) -> Answered<()> {
        let bytes = key.len();
        self.take_json(bytes, [&value], |[value]| Ok(Command::UserSetAppMetadata { key, value }))
    }
}

impl transaction::Host for Host {
    fn set_metadata(&mut self, key: String, value: String) -> Answered<()> {
        let bytes = key.len();
        self.take_json(bytes, [&value], |[value]| Ok(Command::TransactionSetMetadata { key, value }))
    }
}

impl validation::Host for Host {
    fn error(&mut self, code: String, message: String) -> Answered<()> {
        let bytes = code.len() + message.len();
        self.take(Command::ValidationError { error_code: code, error_message: message }, bytes)
    }
}

impl prompt::Host for Host {
    fn render(&mut self, prompt_id: String, fields: String, vars: String) -> Answered<()> {
        fn object(value: Value) -> Result<Map<String, Value>, String> {
            match value {
                Value::Object(map) => Ok(map),
                _ => Err("`fields` and `vars` are JSON objects".to_owned()),
            }
        }
        let bytes = prompt_id.len();
        self.take_json(bytes, [&fields, &vars], |[fields, vars]| {
            Ok(Command::PromptRender { prompt_id, fields: object(fields)?, vars: object(vars)? })
        })
    }
}

impl auth::Host for Host {
    fn challenge_with(&mut self, first: auth::Factor, others: Vec<auth::Factor>) -> Answered<()> {
        let bytes = WORD * (1 + others.len());
        let (factor, additional_factors) = (factor(first), others.into_iter().map(factor).collect());
        self.take(Command::AuthenticationChallengeWith { factor, additional_factors }, bytes)
    }

    fn challenge_with_any(&mut self, factors: Vec<auth::Factor>) -> Answered<()> {
        let bytes = WORD * factors.len();
        let factors = factors.into_iter().map(factor).collect();
        self.take(Command::AuthenticationChallengeWithAny { factors }, bytes)
    }

    fn enroll_with(&mut self, first: auth::Factor, others: Vec<auth::Factor>) -> Answered<()> {
        let bytes = WORD * (1 + others.len());
        let (factor, additional_factors) = (factor(first), others.into_iter().map(factor).collect());
        self.take(Command::AuthenticationEnrollWith { factor, additional_factors }, bytes)
    }

    fn enroll_with_any(&mut self, factors: Vec<auth::Factor>) -> Answered<()> {
        let bytes = WORD * factors.len();
        let factors = factors.into_iter().map(factor).collect();
        self.take(Command::AuthenticationEnrollWithAny { factors }, bytes)
    }

    fn enable_multifactor(
        &mut self,
        provider: auth::MultifactorProvider,
        allow_remember_browser: bool,
    ) -> Answered<()> {
        let provider = match provider {
            auth::MultifactorProvider::None => MultifactorProvider::None,
            auth::MultifactorProvider::Any => MultifactorProvider::Any,
            auth::MultifactorProvider::Guardian => MultifactorProvider::Guardian,
            auth::MultifactorProvider::GoogleAuthenticator => MultifactorProvider::GoogleAuthenticator,
            auth::MultifactorProvider::Duo => MultifactorProvider::Duo,
        };
        self.take(Command::MultifactorEnable { provider, allow_remember_browser }, WORD)
    }

    fn record_method(&mut self, provider_url: String) -> Answered<()> {
        if self.handler != Handler::Continue {
            return self.refuse("a method is recorded in `on-continue-post-login` only".to_owned());
        }
        let bytes = provider_url.len();
        self.take(Command::AuthenticationRecordMethod { provider_url }, bytes)
    }

    fn set_primary_user(&mut self, primary_user_id: String) -> Answered<()> {
        let bytes = primary_user_id.len();
        self.take(Command::AuthenticationSetPrimaryUser { primary_user_id }, bytes)
    }
}

fn factor(factor: auth::Factor) -> Factor {
    let factor_type = match factor.kind {
        auth::FactorType::Otp => FactorType::Otp,
        auth::FactorType::Email => FactorType::Email,
        auth::FactorType::Phone => FactorType::Phone,
        auth::FactorType::PushNotification => FactorType::PushNotification,
        auth::FactorType::WebauthnPlatform => FactorType::WebauthnPlatform,
        auth::FactorType::WebauthnRoaming => FactorType::WebauthnRoaming,
        auth::FactorType::RecoveryCode => FactorType::RecoveryCode,
    };
    let preferred_method = factor.preferred_method.map(|method| match method {
        auth::PhoneMethod::Sms => PhoneMethod::Sms,
        auth::PhoneMethod::Voice => PhoneMethod::Voice,
        auth::PhoneMethod::Both => PhoneMethod::Both,
    });
    let otp_fallback = factor.otp_fallback;
    let options = (preferred_method.is_some() || otp_fallback.is_some())
        .then_some(FactorOptions { preferred_method, otp_fallback });
    Factor { factor_type, options }
}
