// `api.groups` and `api.roles`: questions to the host about the user of this login. What is wrong with an argument rejects
// the promise.

const page = (method, params) => {
  if (params === undefined) return {};
  const { take, from } = object(method, 'params', params);
  if (take !== undefined) {
    if (!isSafeInteger(take) || take < 1) throw wrong(method, '`take` must be a positive integer');
    if (take > 100) throw broken(method, '`take` must be at most 100');
  }
  if (from !== undefined) string(method, 'from', from);
  return { take, from };
};
const texts = (name, most) => (method, values) => {
  array(method, name, values);
  if (values.length > most) throw broken(method, `\`${name}\` must have at most ${most} entries`);
  for (let i = 0; i < values.length; i++) string(method, `${name}[${i}]`, values[i]);
  return values;
};
const lookUp = (method, kind, input) => async (argument) => operation(kind, input(method, argument)).promise;

const groups = {
  getUserGroups: lookUp('groups.getUserGroups', 'groups.ofUser', page),
  hasGroupMembership: lookUp('groups.hasGroupMembership', 'groups.membership', texts('groups', 100)),
};
const roles = {
  getUserEffectiveRoles: lookUp('roles.getUserEffectiveRoles', 'roles.effective', page),
  getUserEffectiveRolesByIds: lookUp('roles.getUserEffectiveRolesByIds', 'roles.effectiveByIds', texts('ids', 100)),
  getUserEffectiveRolesByNames: lookUp(
    'roles.getUserEffectiveRolesByNames',
    'roles.effectiveByNames',
    texts('names', 50),
  ),
};
