-- What is known of a user's earlier logins: one row for each user, of a bounded size. It goes with the user.
CREATE TABLE login_histories (
    tenant_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
