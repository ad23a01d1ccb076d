// Made by `cargo xtask generate` from crates/action-api/src/schema/post_login.json. Do not edit.

declare namespace PostLogin {
  /** Who logs in, with what, and from where. */
  interface Event {
    /** The agent that acts as the client. Dialect only: needs agents as principals. */
    agent?: {
      /** Stable id, as `agt_...`. */
      agent_id: string;
      /** Free data of the agent. */
      agent_metadata: Record<string, any>;
      /** Display name. */
      name?: string;
    };
    /** The anonymous session that this login takes over. Dialect only, beta. */
    anonymous_session?: {
      /** When it began. */
      created_at: string;
      /** When it ends. */
      expires_at?: string;
      /** What was collected in it. */
      metadata?: Record<string, any>;
      /** Id of the anonymous session. */
      session_id: string;
      /** Id of the anonymous user. */
      user_id: string;
    };
    /** How the user has authenticated in this session. */
    authentication?: {
      /** Every method completed in this session, read again before each Action. */
      methods: {
        /** Kind of method, or the URL that `api.authentication.recordMethod` recorded. */
        name: string;
        /** When it was completed. */
        timestamp: string;
        /** Of `mfa`: which factor it was. */
        type?: string;
      }[];
      /** How risky this login looks. */
      riskAssessment?: {
        /** Each assessor's answer. */
        assessments: {
          /** Whether an automated agent is at work. Dialect only. */
          AgentDetection?: {
            /** The finding. */
            code: 'unknown' | 'verified_agent';
            /** How sure it is. */
            confidence: 'low' | 'medium' | 'high' | 'neutral';
            /** More about it. */
            details?: {
              /** Who makes the agent. */
              provider?: string;
            };
          };
          /** Whether the user could have come here since the last login. */
          ImpossibleTravel?: {
            /** The finding. */
            code: 'minimal_travel_from_last_login' | 'travel_from_last_login' | 'substantial_travel_from_last_login' | 'impossible_travel_from_last_login' | 'invalid_travel' | 'missing_geoip' | 'anonymous_proxy' | 'unknown_location' | 'initial_login' | 'location_history_not_found' | 'assessment_not_available';
            /** How sure it is. */
            confidence: 'low' | 'medium' | 'high' | 'neutral';
          };
          /** Whether the user's device is known. */
          NewDevice?: {
            /** The finding. */
            code: 'match' | 'partial_match' | 'no_match' | 'initial_login' | 'unknown_device' | 'no_device_history' | 'assessment_not_available';
            /** How sure it is. */
            confidence: 'low' | 'medium' | 'high' | 'neutral';
            /** What was compared. */
            details?: {
              /** The device, by its cookie. */
              device?: 'known' | 'unknown';
              /** The browser, by its header. */
              useragent?: 'known' | 'unknown';
            };
          };
          /** Whether the address has a bad name. Dialect only. */
          UntrustedIP?: {
            /** The finding. */
            code: 'not_found_on_deny_list' | 'found_on_deny_list' | 'invalid_ip_address' | 'assessment_not_available';
            /** How sure it is. */
            confidence: 'low' | 'medium' | 'high' | 'neutral';
            /** What matched. */
            details?: {
              /** Kind of bad name. */
              category?: string;
              /** The address that was looked up. */
              ip?: string;
              /** The range that it lies in. */
              matches?: string;
              /** The list that has it. */
              source?: string;
            };
          };
        };
        /** Confidence over all assessors. */
        confidence: 'low' | 'medium' | 'high' | 'neutral';
        /** Risk data of an edge provider. Dialect only. */
        supplemental?: {
          /** What Akamai handed over. */
          akamai?: {
            /** Its Bot Manager's results. */
            akamaiBot?: {
              /** As handed over. */
              action?: string;
              /** As handed over. */
              botCategory?: string[];
              /** As handed over. */
              botScore?: number;
              /** As handed over. */
              botScoreResponseSegment?: string;
              /** As handed over. */
              botnetId?: string;
              /** As handed over. */
              type?: string;
            };
            /** Its Account Protector's results. */
            akamaiUserRisk?: {
              /** As handed over. */
              action?: string;
              /** As handed over. */
              allow?: number;
              /** As handed over. */
              emailDomain?: string;
              /** As handed over. */
              general?: Record<string, any>;
              /** As handed over. */
              ouid?: string;
              /** As handed over. */
              requestid?: string;
              /** As handed over. */
              risk?: Record<string, any>;
              /** As handed over. */
              score?: number;
              /** As handed over. */
              status?: number;
              /** As handed over. */
              trust?: Record<string, any>;
              /** As handed over. */
              username?: string;
              /** As handed over. */
              uuid?: string;
            };
            [name: string]: any;
          };
        };
        /** Version of the assessment's data. */
        version: string;
      };
    };
    /** What the user may do. */
    authorization?: {
      /** Names of the roles that the user has directly. `api.roles` knows more. */
      roles: string[];
    };
    /** The application that the user logs in to. */
    client: {
      /** How the client authenticated. Dialect only, undocumented. */
      authentication?: {
        /** The client's certificate. */
        certificate?: {
          /** The certificate itself. */
          raw?: string;
          /** Its subject. */
          subject?: string;
          /** Its other names. */
          subjectAltName?: string;
          /** Its SHA-256 thumbprint. */
          thumbprint256?: string;
        };
        /** Which method. */
        type?: string;
      };
      /** Its id. */
      client_id: string;
      /** URL of a client that is known by a metadata document. Dialect only, undocumented. */
      external_client_id?: string;
      /** Kind of that document. Dialect only, undocumented. */
      external_metadata_type?: string;
      /** Its metadata. */
      metadata: Record<string, string>;
      /** Its name. */
      name: string;
      /** Its settings for refresh tokens. */
      refresh_token?: {
        /** APIs that its refresh tokens may be exchanged for. */
        policies?: {
          /** The API's identifier. */
          audience?: string;
          /** Scopes allowed there. */
          scope?: string[];
        }[];
      };
    };
    /** Reserved by the dialect. */
    configuration?: Record<string, any>;
    /** Where the user authenticated. */
    connection: {
      /** Its id, as `con_...`. */
      id: string;
      /** Its metadata. */
      metadata?: Record<string, string>;
      /** Its name. */
      name: string;
      /** Its kind: `auth0` is a database of users. */
      strategy: string;
    };
    /** The custom domain that the request came to; absent at the tenant's own. */
    custom_domain?: {
      /** Its host name. */
      domain: string;
      /** Its metadata. */
      domain_metadata: Record<string, string>;
    };
    /** The experiment that this login is part of. Dialect only, beta. */
    experiment?: {
      /** Parameters by name, each as `{ value }`. */
      config: Record<string, any>;
      /** Which experiment. */
      experiment_id: string;
      /** Whether it is the control. */
      is_control: boolean;
      /** What the variation is about. */
      variation_description?: string;
      /** Which variation. */
      variation_id: string;
      /** The variation's name. */
      variation_name?: string;
    } | null;
    /** The organization in whose name the user logs in. */
    organization?: {
      /** Its name for people. */
      display_name: string;
      /** Its id, as `org_...`. */
      id: string;
      /** Its metadata. */
      metadata: Record<string, string>;
      /** Its name in addresses and requests. */
      name: string;
      [name: string]: any;
    };
    /** What a form has collected, in `onContinuePostLogin`. Dialect only: forms are not shown. */
    prompt?: {
      /** Values by the field's id. */
      fields?: Record<string, any>;
      /** Which form. */
      id: string;
      /** Variables of the flow. */
      vars?: Record<string, any>;
    };
    /** The refresh token that is being exchanged. */
    refresh_token?: {
      /** `online`: it lives with its session. */
      access?: 'online' | 'offline';
      /** Whose it is. */
      client_id?: string;
      /** When it was issued. */
      created_at: string;
      /** Where it was used. */
      device?: {
        /** First network. */
        initial_asn?: string;
        /** First address. */
        initial_ip?: string;
        /** First user agent. */
        initial_user_agent?: string;
        /** Network of the last exchange. */
        last_asn?: string;
        /** Address of the last exchange. */
        last_ip?: string;
        /** User agent of the last exchange. */
        last_user_agent?: string;
      };
      /** When it ends; absent when it never does. */
      expires_at?: string;
      /** Its id, as `rt_...`: no credential. */
      id: string;
      /** When it ends unless it is used. */
      idle_expires_at?: string;
      /** When it was exchanged before. */
      last_exchanged_at?: string;
      /** Its metadata, with what Actions of this login have set. */
      metadata?: Record<string, string>;
      /** The APIs that it is for. */
      resource_servers?: {
        /** The API's identifier. */
        audience: string;
        /** Scopes in one string. */
        scopes: string;
      }[];
      /** Whether each exchange replaces it. */
      rotating?: boolean;
      /** The session that it was issued in. */
      session_id?: string | null;
      /** There when it was issued in a transferred session. */
      session_transfer?: {
        /** The native app's refresh token at the beginning of it. */
        parent_refresh_token?: {
          /** That one's id. */
          id?: string;
        };
      };
      /** Whose it is. */
      user_id?: string;
    };
    /** The HTTP request of this part of the login; a new one after a redirect. */
    request: {
      /** The caller's network, as `AS64496`. */
      asn?: string;
      /** The form that was sent, without credentials; `{}` of a GET. */
      body: Record<string, any>;
      /** Where the caller's address lies; `{}` when unknown. */
      geoip: {
        /** City. */
        cityName?: string;
        /** Continent, two letters. */
        continentCode?: string;
        /** Country, two letters. */
        countryCode?: string;
        /** Country, three letters. */
        countryCode3?: string;
        /** Country. */
        countryName?: string;
        /** Latitude. */
        latitude?: number;
        /** Longitude. */
        longitude?: number;
        /** State or province, as a code. */
        subdivisionCode?: string;
        /** State or province. */
        subdivisionName?: string;
        /** Time zone by its IANA name. */
        timeZone?: string;
        [name: string]: any;
      };
      /** Host name that was asked. */
      hostname?: string;
      /** The caller's address. */
      ip: string;
      /** Languages that the browser asked for. */
      language?: string;
      /** HTTP method. */
      method: string;
      /** Parameters of the address, without credentials. */
      query: Record<string, any>;
      /** The caller's user agent. */
      user_agent?: string;
    };
    /** The API that tokens are asked for. */
    resource_server?: {
      /** Its identifier: the audience. */
      identifier: string;
    };
    /** This Action's secrets by name. */
    secrets: Record<string, string>;
    /** Fingerprints of the TLS connection. Dialect only. */
    security_context?: {
      /** JA3. */
      ja3?: string;
      /** JA4. */
      ja4?: string;
    };
    /** The browser's session. Absent in the password grant and when an offline refresh token is exchanged. */
    session?: {
      /** Who acts in the user's name. Dialect only: session delegation. */
      actor?: {
        /** Who that is. */
        sub: string;
        [name: string]: any;
      };
      /** When the user last authenticated in it. */
      authenticated_at?: string;
      /** Applications that the user has logged in to with it. */
      clients?: {
        /** The application's id. */
        client_id: string;
      }[];
      /** Its cookie. */
      cookie?: {
        /** Whether the cookie outlives the browser, with what Actions of this login have set. */
        mode: 'persistent' | 'non-persistent';
      };
      /** When it began. */
      created_at?: string;
      /** Where it was used. */
      device?: {
        /** First network. */
        initial_asn?: string;
        /** First address. */
        initial_ip?: string;
        /** First user agent. */
        initial_user_agent?: string;
        /** Last network. */
        last_asn?: string;
        /** Last address. */
        last_ip?: string;
        /** Last user agent. */
        last_user_agent?: string;
      };
      /** When it ends. */
      expires_at?: string;
      /** Its id, the `sid` of ID tokens. */
      id: string;
      /** When it ends unless it is used. */
      idle_expires_at?: string;
      /** When it was last used. */
      last_interacted_at?: string;
      /** Its metadata, with what Actions of this login have set. */
      metadata?: Record<string, string>;
      /** There for the whole life of a session that was made from a session transfer token. */
      session_transfer?: {
        /** The native app's refresh token at the beginning of it. */
        parent_refresh_token?: {
          /** That one's id. */
          id?: string;
          /** That one's metadata: what the native app's Actions hand to the browser's login. */
          metadata?: Record<string, string>;
        };
      };
      /** When it last changed. */
      updated_at?: string;
      /** Whose it is. */
      user_id?: string;
    };
    /** The session transfer token that this login redeems; in no later login of its session. */
    session_transfer_token?: {
      /** The native app that got it. */
      client_id: string;
      /** Where it was issued: to be compared with `event.request`. */
      request: {
        /** The native app's network. */
        asn?: string;
        /** Where that address lies. */
        geoip?: {
          /** City. */
          cityName?: string;
          /** Continent, two letters. */
          continentCode?: string;
          /** Country, two letters. */
          countryCode?: string;
          /** Country, three letters. */
          countryCode3?: string;
          /** Country. */
          countryName?: string;
          /** Latitude. */
          latitude?: number;
          /** Longitude. */
          longitude?: number;
          /** State or province, as a code. */
          subdivisionCode?: string;
          /** State or province. */
          subdivisionName?: string;
          /** Time zone by its IANA name. */
          timeZone?: string;
          [name: string]: any;
        };
        /** The native app's address. */
        ip: string;
        /** The native app's user agent. */
        user_agent?: string;
      };
      /** Scopes asked for when it was issued. */
      scope: string[];
    };
    /** Numbers about the user. */
    stats: {
      /** Logins of the user, this one included. */
      logins_count: number;
    };
    /** The tenant. */
    tenant: {
      /** Its name. */
      id: string;
    };
    /** The login as a protocol sees it. */
    transaction?: {
      /** Authentication contexts that were asked for. */
      acr_values?: string[];
      /** Who acts in the user's name. Dialect only: token exchange. */
      actor?: {
        /** Who acts in that one's name. */
        act?: {
          /** The third in the chain. */
          act?: {
            /** The fourth in the chain. */
            act?: {
              /** The fifth in the chain. */
              act?: Record<string, any>;
              /** Who that is. */
              sub: string;
              [name: string]: any;
            };
            /** Who that is. */
            sub: string;
            [name: string]: any;
          };
          /** Who that is. */
          sub: string;
          [name: string]: any;
        };
        /** Who that is. */
        sub: string;
        [name: string]: any;
      };
      /** Type of the actor's token. Dialect only. */
      actor_token_type?: string;
      /** What the application sent to find this login in logs. */
      correlation_id?: string;
      /** Its id. */
      id?: string;
      /** Id of a transaction that the user approves. Dialect only. */
      linking_id?: string;
      /** Language of the pages. */
      locale?: string;
      /** Who the application thinks it is. */
      login_hint?: string;
      /** What Actions of this login have set for later ones. */
      metadata: Record<string, string | number | boolean>;
      /** What the application asked of the pages. */
      prompt?: string[];
      /** Which flow this is. */
      protocol?: 'oidc-basic-profile' | 'oidc-implicit-profile' | 'oidc-hybrid-profile' | 'oidc-ciba' | 'oidc-ciba-web-link' | 'oauth2-device-code' | 'oauth2-resource-owner' | 'oauth2-resource-owner-jwt-bearer' | 'oauth2-password' | 'oauth2-webauthn' | 'oauth2-access-token' | 'oauth2-refresh-token' | 'oauth2-token-exchange' | 'samlp' | 'wsfed' | 'wstrust-usernamemixed';
      /** Where the browser goes in the end. */
      redirect_uri?: string;
      /** Rich authorization requests (RFC 9396). Dialect only. */
      requested_authorization_details?: {
        /** Kind of request. */
        type: string;
      }[];
      /** Scopes that the application asked for. */
      requested_scopes?: string[];
      /** How the answer is sent. */
      response_mode?: 'query' | 'fragment' | 'form_post' | 'web_message';
      /** What the application asked for. */
      response_type?: ('code' | 'token' | 'id_token')[];
      /** The application's own state. */
      state?: string;
      /** Type of the exchanged token. Dialect only. */
      subject_token_type?: string;
      /** Behind a flag of the dialect, undocumented. */
      target_scopes?: string[];
      /** Languages that the application asked for. */
      ui_locales?: string[];
      [name: string]: any;
    };
    /** The user, as before this login. */
    user: {
      /** What the application knows of the user; the user cannot change it. */
      app_metadata: Record<string, any>;
      /** When the account was made. */
      created_at: string;
      /** E-mail address. */
      email?: string;
      /** Whether it was verified. */
      email_verified: boolean;
      /** Second factors that the user has, read again before each Action. */
      enrolledFactors?: {
        /** More about it. */
        options?: Record<string, any>;
        /** Which factor. */
        type: string;
      }[];
      /** Family name. */
      family_name?: string;
      /** Given name. */
      given_name?: string;
      /** Where the user can log in from; the primary one first. */
      identities: {
        /** Seen in a test event of the dialect only. */
        accessToken?: string;
        /** Which connection. */
        connection?: string;
        /** Whether that is a social network. */
        isSocial?: boolean;
        /** Profile of an identity that is not the primary one. */
        profileData?: Record<string, any>;
        /** Kind of connection. */
        provider?: string;
        /** Seen in a test event of the dialect only. */
        userId?: string;
        /** Id at the provider. */
        user_id?: string;
        [name: string]: any;
      }[];
      /** When the password last changed. */
      last_password_reset?: string;
      /** Old list of second factors. */
      multifactor?: string[];
      /** Full name. */
      name?: string;
      /** Nickname. */
      nickname?: string;
      /** Phone number. */
      phone_number?: string;
      /** Whether it was verified. */
      phone_verified?: boolean;
      /** Address of a picture. */
      picture?: string;
      /** When the account last changed. */
      updated_at: string;
      /** Id, as `auth0|...`: the `sub` of tokens. */
      user_id: string;
      /** What the user may change. */
      user_metadata: Record<string, any>;
      /** Name to log in with. */
      username?: string;
      [name: string]: any;
    };
  }
  /** What an Action can ask of the login. */
  interface API {
    access: {
      /**
       * Refuses the login. The function goes on; later Actions do not run, and no tokens are issued.
       * @param reason Reaches the client as `error_description`; the user may see it.
       */
      deny(reason: string): API;
    };
    accessToken: {
      /**
       * Adds a claim to the access token. Reserved names are left out of the token.
       * @param key Claim name.
       * @param value Claim value.
       */
      setCustomClaim(key: string, value: JsonValue): API;
      /**
       * Grants a scope.
       * @param scope One scope.
       */
      addScope(scope: string): void;
      /**
       * Takes a scope away.
       * @param scope One scope.
       */
      removeScope(scope: string): void;
    };
    authentication: {
      /**
       * Asks for a second factor after this Action; the next one runs when it was given.
       * @param factor The factor to ask for.
       * @param options Others that the user may choose.
       */
      challengeWith(factor: ChallengeFactor, options?: { additionalFactors?: ChallengeFactor[] }): void;
      /**
       * Asks for one of several second factors after this Action.
       * @param factors The user chooses one of them.
       */
      challengeWithAny(factors: ChallengeFactor[]): void;
      /**
       * Lets the user set up a second factor after this Action.
       * @param factor The factor to set up.
       * @param options Others that the user may choose.
       */
      enrollWith(factor: EnrollFactor, options?: { additionalFactors?: EnrollFactor[] }): void;
      /**
       * Lets the user set up one of several second factors after this Action.
       * @param factors The user chooses one of them.
       */
      enrollWithAny(factors: EnrollFactor[]): void;
      /**
       * In `onContinuePostLogin`: notes that the user has authenticated elsewhere, for the life of the session.
       * @param provider_url An http or https URL that names the method.
       */
      recordMethod(provider_url: string): API;
      /**
       * Makes another account, to which this one was linked, the subject of the login. Once in a login.
       * @param primary_user_id `user_id` of 1 to 128 characters.
       */
      setPrimaryUser(primary_user_id: string): void;
    };
    cache: {
      /**
       * Reads from the trigger's cache.
       * @param key The key.
       */
      get(key: string): { value: string; expires_at: number } | undefined;
      /**
       * Writes to the trigger's cache: for 15 minutes, or 24 hours at most.
       * @param key Up to 64 bytes.
       * @param value Up to 4,096 bytes.
       * @param options Lifetime in milliseconds, or its end in milliseconds since 1970; the earlier one counts.
       */
      set(key: string, value: string, options?: { ttl?: number; expires_at?: number }): CacheSetResult;
      /**
       * Removes from the trigger's cache.
       * @param key The key.
       */
      delete(key: string): CacheDeleteResult;
    };
    groups: {
      /**
       * The user's groups.
       * @param params Size of the page, and where it begins.
       */
      getUserGroups(params?: { take?: number; from?: string }): Promise<{ groups: Group[]; next?: string }>;
      /**
       * Whether the user is in these groups.
       * @param groups Ids or names.
       */
      hasGroupMembership(groups: string[]): Promise<{ memberships: Record<string, GroupMembership>; errors?: JsonValue }>;
    };
    idToken: {
      /**
       * Adds a claim to the ID token. Reserved names are left out of the token.
       * @param key Claim name.
       * @param value Claim value.
       */
      setCustomClaim(key: string, value: JsonValue): API;
    };
    multifactor: {
      /**
       * Asks for a second factor after all Actions.
       * @param provider `none` asks for no second factor.
       * @param options Whether the browser may be remembered, and settings of the provider.
       */
      enable(provider: 'any' | 'none' | 'guardian' | 'google-authenticator' | 'duo', options?: { allowRememberBrowser?: boolean; providerOptions?: { host: string; ikey: string; skey: string; username?: string } }): API;
    };
    prompt: {
      /**
       * Shows a form after this Action. This server shows none, and refuses the login.
       * @param promptId The form's id.
       * @param promptOptions Values for the form.
       */
      render(promptId: string, promptOptions?: { fields?: Record<string, JsonValue>; vars?: Record<string, JsonValue> }): void;
    };
    redirect: {
      /**
       * Whether the browser can be sent away in this flow.
       */
      canRedirect(): boolean;
      /**
       * A signed JWT that hands data to the site that the browser is sent to.
       * @param options Key, claims, and lifetime in seconds (900).
       */
      encodeToken(options: { secret: string; payload: Record<string, JsonValue>; expiresInSeconds?: number }): string;
      /**
       * Sends the browser away after this Action; `onContinuePostLogin` runs when it is back at `/continue`.
       * @param url An absolute URL.
       * @param options Parameters to add.
       */
      sendUserTo(url: string, options?: { query?: Record<string, string> }): API;
      /**
       * In `onContinuePostLogin`: the claims of the token that the site sent back. Throws when it is not valid.
       * @param options Key, and the parameter with the token (`session_token`).
       */
      validateToken(options: { secret: string; tokenParameterName?: string }): Record<string, any>;
    };
    refreshToken: {
      /**
       * Refuses the exchange and ends the refresh token.
       * @param reason Up to 1,024 characters; the user may see it.
       */
      revoke(reason: string): void;
      /**
       * Shortens the refresh token's life.
       * @param absolute Milliseconds since 1970, as `Date.now() + 3600000`.
       */
      setExpiresAt(absolute: number): void;
      /**
       * Shortens the refresh token's life without use.
       * @param inactivity Milliseconds since 1970: a moment, not a duration.
       */
      setIdleExpiresAt(inactivity: number): void;
      /**
       * Sets metadata of the refresh token, also of the one that this login will issue.
       * @param key Letters, digits, `_` and `-`.
       * @param value Up to 255 characters; null removes it.
       */
      setMetadata(key: string, value: string | null): void;
      /**
       * Removes metadata of the refresh token.
       * @param key The key.
       */
      deleteMetadata(key: string): void;
      /**
       * Removes all metadata of the refresh token.
       */
      evictMetadata(): void;
    };
    roles: {
      /**
       * The user's roles, those by groups included.
       * @param params Size of the page (100 at most), and where it begins.
       */
      getUserEffectiveRoles(params?: { take?: number; from?: string }): Promise<{ roles: Role[]; next?: string }>;
      /**
       * Which of these roles the user has.
       * @param ids Up to 100.
       */
      getUserEffectiveRolesByIds(ids: string[]): Promise<{ roles: Role[] }>;
      /**
       * Which of these roles the user has.
       * @param names Up to 50.
       */
      getUserEffectiveRolesByNames(names: string[]): Promise<{ roles: Role[] }>;
    };
    rules: {
      /**
       * Whether a legacy Rule ran: there are none here.
       * @param ruleId The Rule's id.
       */
      wasExecuted(ruleId: string): boolean;
    };
    samlResponse: {
      /**
       * Sets an attribute of the assertion. Without effect here, like all of `samlResponse`.
       * @param attribute Up to 1,024 characters.
       * @param value null removes it.
       */
      setAttribute(attribute: string, value: string | number | boolean | null | Array<string | number | boolean>): API;
      /**
       * Sets the audience.
       * @param audience Up to 2,048 characters.
       */
      setAudience(audience: string): API;
      /**
       * Sets the recipient.
       * @param recipient Up to 2,048 characters.
       */
      setRecipient(recipient: string): API;
      /**
       * Sets the destination.
       * @param destination Up to 2,048 characters.
       */
      setDestination(destination: string): API;
      /**
       * Sets the issuer.
       * @param issuer Up to 512 characters.
       */
      setIssuer(issuer: string): API;
      /**
       * Sets the relay state.
       * @param relayState Up to 512 characters.
       */
      setRelayState(relayState: string): API;
      /**
       * Whether a UPN claim is made.
       * @param createUpnClaim Whether.
       */
      setCreateUpnClaim(createUpnClaim: boolean): API;
      /**
       * Whether claims without a mapping stay.
       * @param flag Whether.
       */
      setPassthroughClaimsWithNoMapping(flag: boolean): API;
      /**
       * Whether claims without a mapping keep their names.
       * @param flag Whether.
       */
      setMapUnknownClaimsAsIs(flag: boolean): API;
      /**
       * Whether data of the identity provider is added.
       * @param flag Whether.
       */
      setMapIdentities(flag: boolean): API;
      /**
       * Sets the signature algorithm.
       * @param alg Which.
       */
      setSignatureAlgorithm(alg: 'rsa-sha256' | 'rsa-sha1'): API;
      /**
       * Sets the digest algorithm.
       * @param alg Which.
       */
      setDigestAlgorithm(alg: 'sha256' | 'sha1'): API;
      /**
       * Sets the encryption algorithm.
       * @param alg Which.
       */
      setEncryptionAlgorithm(alg: 'aes256-gcm' | 'aes256-cbc'): API;
      /**
       * Sets the assertion's lifetime.
       * @param seconds Seconds.
       */
      setLifetimeInSeconds(seconds: number): API;
      /**
       * Whether the response is signed in place of the assertion.
       * @param flag Whether.
       */
      setSignResponse(flag: boolean): API;
      /**
       * Sets the format of the name identifier.
       * @param format Up to 512 characters.
       */
      setNameIdentifierFormat(format?: string): API;
      /**
       * Attributes that are tried for the name identifier.
       * @param probes Up to 10, of up to 512 characters.
       */
      setNameIdentifierProbes(probes: string[]): API;
      /**
       * Sets the authentication context.
       * @param ref Up to 512 characters.
       */
      setAuthnContextClassRef(ref: string): API;
      /**
       * Certificate that requests are checked with.
       * @param cert PEM.
       */
      setSigningCert(cert: string): API;
      /**
       * Whether attributes say the format of their names.
       * @param flag Whether.
       */
      setIncludeAttributeNameFormat(flag: boolean): API;
      /**
       * Whether attributes say their types.
       * @param flag Whether.
       */
      setTypedAttributes(flag: boolean): API;
      /**
       * Certificate that the assertion is encrypted for.
       * @param cert PEM.
       */
      setEncryptionCert(cert: string): API;
      /**
       * Key that the assertion is encrypted for.
       * @param key PEM.
       */
      setEncryptionPublicKey(key: string): API;
      /**
       * Certificate to sign with.
       * @param cert PEM.
       */
      setCert(cert: string): API;
      /**
       * Key to sign with.
       * @param key PEM.
       */
      setKey(key: string): API;
    };
    session: {
      /**
       * Refuses the login and ends the session.
       * @param reason The user may see it.
       * @param options Whether its refresh tokens stay.
       */
      revoke(reason: string, options?: { preserveRefreshTokens?: boolean }): void;
      /**
       * Sets when the session ends. The earliest moment of all calls counts.
       * @param absolute Milliseconds since 1970, as `Date.now() + 3600000`.
       */
      setExpiresAt(absolute: number): void;
      /**
       * Sets when the session ends unless it is used, for this interaction.
       * @param inactivity Milliseconds since 1970: a moment, not a duration.
       */
      setIdleExpiresAt(inactivity: number): void;
      /**
       * Whether the session's cookie outlives the browser.
       * @param mode Which.
       */
      setCookieMode(mode: 'persistent' | 'non-persistent'): void;
      /**
       * Sets metadata of the session. Throws without one.
       * @param key Letters, digits, `_` and `-`.
       * @param value Up to 255 characters; null removes it.
       */
      setMetadata(key: string, value: string | null): void;
      /**
       * Removes metadata of the session.
       * @param key The key.
       */
      deleteMetadata(key: string): void;
      /**
       * Removes all metadata of the session.
       */
      evictMetadata(): void;
    };
    transaction: {
      /**
       * Hands a value to later Actions of this login.
       * @param key Up to 64 characters.
       * @param value null removes it.
       */
      setMetadata(key: string, value: string | number | boolean | null): void;
    };
    user: {
      /**
       * Changes `app_metadata` when the login completes.
       * @param key A name without `.` and `$`.
       * @param value null removes it.
       */
      setAppMetadata(key: string, value: JsonValue): API;
      /**
       * Changes `user_metadata` when the login completes.
       * @param key A name without `.` and `$`.
       * @param value null removes it.
       */
      setUserMetadata(key: string, value: JsonValue): API;
    };
    validation: {
      /**
       * Refuses the login because of what the user entered.
       * @param errorCode Up to 100 characters.
       * @param errorMessage Up to 100 characters; the user may see it.
       */
      error(errorCode: string, errorMessage: string): API;
    };
  }
/** What can be written as JSON. */
  type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };
  /** A second factor that a user can be asked for. */
  interface ChallengeFactor {
    type: 'otp' | 'recovery-code' | 'email' | 'phone' | 'push-notification' | 'push' | 'webauthn-platform' | 'webauthn-roaming';
    options?: { preferredMethod?: 'sms' | 'voice' | 'both'; otpFallback?: boolean };
  }
  /** A second factor that a user can set up. */
  interface EnrollFactor {
    type: 'otp' | 'recovery-code' | 'phone' | 'push-notification' | 'push' | 'webauthn-platform' | 'webauthn-roaming';
    options?: { preferredMethod?: 'sms' | 'voice' | 'both' };
  }
  /** Whether the cache took the value. */
  type CacheSetResult =
    | { type: 'success'; record: { value: string; expires_at: number } }
    | { type: 'error'; code: string };
  /** Whether the cache had the key. */
  type CacheDeleteResult = { type: 'success' } | { type: 'error'; code: string };
  /** A group that the user is in. */
  interface Group {
    id: string;
    name: string;
    [name: string]: any;
  }
  /** Whether the user is in a group, and in which of those with that name. */
  interface GroupMembership {
    is_member: boolean;
    matches?: { id: string; name: string; group_type: string }[];
  }
  /** A role that the user has. */
  interface Role {
    id: string;
    name: string;
    type: string;
  }
}

/** Who logs in, with what, and from where. */
interface Event extends PostLogin.Event {}
/** What an Action can ask of the login. */
interface PostLoginAPI extends PostLogin.API {}
/** Runs at each login. */
type OnExecutePostLogin = (event: PostLogin.Event, api: PostLogin.API) => Promise<void>;
/** Runs when the browser is back from where this Action had sent it. */
type OnContinuePostLogin = (event: PostLogin.Event, api: PostLogin.API) => Promise<void>;
/** In the code of an `actions:` module, and there alone: what belongs to the module. */
declare const actions: {
  /** The module's own secrets by name, while the Action runs. */
  readonly secrets: Readonly<Record<string, string>>;
};
/** A module that Actions of a tenant share. */
declare module 'actions:*';
