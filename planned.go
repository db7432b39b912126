package gatehouse

// planned are the keys of the design whose rooms are not built yet, with what
// they stand for. Who copies one here is told so, in place of a misspelling. A
// key leaves the list with the room that brings it.
func planned() map[string]string {
	out := map[string]string{
		"links":     "links to private networks",
		"firewall":  "security groups and network ACLs",
		"databases": "doors to databases",
		"alarms":    "alarms",
		"notify":    "notifications",

		"listen.network-acl":         "network ACLs",
		"services.*.link":            "links to private networks",
		"services.*.security-groups": "security groups",
	}
	policies := map[string]string{
		"cache": "caches",
	}
	for name, what := range policies {
		for _, level := range []string{"apis.*.", "apis.*.stages.*.", "apis.*.routes."} {
			out[level+name] = what
		}
	}
	return out
}
