-- What is known of a user's earlier logins: one row for each user, of a bounded size. It goes with the user.
CREATE TABLE login_histories (
    tenant_id TEXT NOT NULL REFERENCES tenants (id),
    user_id TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
