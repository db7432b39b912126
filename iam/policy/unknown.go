package policy

import "slices"

// All returns every policy that counts for a principal's requests.
func (p Policies) All(who *Principal) []*Policy {
	all := []*Policy{p.Resource}
	if who != nil {
		all = slices.Concat(all, p.Organisation, who.Identity, []*Policy{who.Boundary, who.Session})
	}
	return slices.DeleteFunc(all, func(p *Policy) bool { return p == nil })
}

// Unknown returns the condition keys that statements about a request's action
// ask for, and that the request does not have.
func (p *Policy) Unknown(r *Request) (keys []string) {
	for _, statements := range [][]Statement{p.denies, p.allows} {
		for i := range statements {
			s := &statements[i]
			if !s.hasAction(r.Action) {
				continue
			}
			for j := range s.conditions {
				if key := &s.conditions[j].key; r.get(key).n == 0 && !key.isOfCaller() {
					keys = append(keys, key.String())
				}
			}
		}
	}
	return keys
}

// isOfCaller reports a key that the caller alone decides.
func (k *Key) isOfCaller() bool {
	switch k.id {
	case keyPrincipalAccount, keyPrincipalARN, keyPrincipalTag, keyPrincipalType, keyUserName, keyUserID, keyTokenIssueTime, keyMFA:
		return true
	}
	return false
}
