package policy

import (
	"slices"
	"strings"
)

// Key is the name of something that is known of a request. Names compare
// without case.
type Key struct {
	id   keyID
	name string // in small letters
	said string // as it was written
	tag  string // of a key that ends in a tag's: in small letters
}

// String returns the name as it was written.
func (k *Key) String() string { return k.said }

type keyID uint8

// The keys that the gateway fills.
const (
	keyOther keyID = iota
	keyCurrentTime
	keyEpochTime
	keyExternalID
	keyMFA
	keyPrincipalAccount
	keyPrincipalARN
	keyPrincipalIsService
	keyPrincipalTag
	keyPrincipalType
	keyReferer
	keyRequestTag
	keyRequestedRegion
	keyResourceAccount
	keySecureTransport
	keySessionName
	keySourceARN
	keySourceAccount
	keySourceIP
	keySourceIdentity
	keyTagKeys
	keyTokenIssueTime
	keyUserAgent
	keyUserID
	keyUserName
)

// filled are the keys that the gateway fills, as AWS writes them. What ends in
// "/" goes on with a tag's key.
var filled = map[string]keyID{
	"aws:CurrentTime":            keyCurrentTime,
	"aws:EpochTime":              keyEpochTime,
	"aws:MultiFactorAuthPresent": keyMFA,
	"aws:PrincipalAccount":       keyPrincipalAccount,
	"aws:PrincipalArn":           keyPrincipalARN,
	"aws:PrincipalIsAWSService":  keyPrincipalIsService,
	"aws:PrincipalTag/":          keyPrincipalTag,
	"aws:PrincipalType":          keyPrincipalType,
	"aws:Referer":                keyReferer,
	"aws:RequestTag/":            keyRequestTag,
	"aws:RequestedRegion":        keyRequestedRegion,
	"aws:ResourceAccount":        keyResourceAccount,
	"aws:SecureTransport":        keySecureTransport,
	"aws:SourceAccount":          keySourceAccount,
	"aws:SourceArn":              keySourceARN,
	"aws:SourceIdentity":         keySourceIdentity,
	"aws:SourceIp":               keySourceIP,
	"aws:TagKeys":                keyTagKeys,
	"aws:TokenIssueTime":         keyTokenIssueTime,
	"aws:UserAgent":              keyUserAgent,
	"aws:userid":                 keyUserID,
	"aws:username":               keyUserName,
	"sts:ExternalId":             keyExternalID,
	"sts:RoleSessionName":        keySessionName,
	"sts:SourceIdentity":         keySourceIdentity,
}

// unfilled are the other keys that AWS has in the same namespaces. Policies
// made for AWS may name them: a request here never has them.
var unfilled = []string{
	"aws:AssumedRoot", "aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:ChatbotSourceArn",
	"aws:Ec2InstanceSourcePrivateIPv4", "aws:Ec2InstanceSourceVpc", "aws:FederatedProvider", "aws:MultiFactorAuthAge",
	"aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList",
	"aws:ResourceOrgID", "aws:ResourceOrgPaths", "aws:ResourceTag/", "aws:SourceOrgID", "aws:SourceOrgPaths",
	"aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce", "aws:SourceVpceAccount", "aws:SourceVpceOrgID", "aws:SourceVpceOrgPaths",
	"aws:ViaAWSService", "aws:VpceAccount", "aws:VpceOrgID", "aws:VpceOrgPaths", "aws:VpcSourceIp",
	"sts:AWSServiceName", "sts:AssumeRoleDurationSeconds", "sts:DurationSeconds", "sts:RequestContext/", "sts:RequestContextProviders",
	"sts:TaskPolicyArn", "sts:TransitiveTagKeys",
}

// parseKey returns the key of a name.
func parseKey(name string) Key {
	k := Key{name: strings.ToLower(name), said: name}
	for known, id := range filled {
		prefix := strings.ToLower(known)
		switch {
		case k.name == prefix && !strings.HasSuffix(prefix, "/"):
			k.id = id
		case isNamed(known, k.name):
			k.id, k.tag = id, k.name[len(prefix):]
		}
	}
	return k
}

// isKnown reports a name that AWS has.
func isKnown(name string) bool {
	return parseKey(name).id != keyOther || slices.ContainsFunc(unfilled, func(known string) bool { return isNamed(known, name) })
}

// isNamed reports whether a name is a known one, or has one for its prefix that
// ends in "/".
func isNamed(known, name string) bool {
	if strings.HasSuffix(known, "/") {
		return len(name) > len(known) && strings.EqualFold(name[:len(known)], known)
	}
	return strings.EqualFold(known, name)
}

// IsFilled reports whether requests can have the key of a name here. Keys of
// other services than AWS's own are never filled.
func IsFilled(name string) bool { return parseKey(name).id != keyOther }

// namesOf returns the keys that AWS has in a namespace; nil where they are not
// known here.
func namesOf(prefix string) []string {
	prefix = strings.ToLower(prefix) + ":"
	if prefix != "aws:" && prefix != "sts:" {
		return nil
	}
	var out []string
	for name := range filled {
		out = append(out, name)
	}
	out = slices.Concat(out, unfilled)
	out = slices.DeleteFunc(out, func(name string) bool { return !strings.HasPrefix(name, prefix) })
	for i, name := range out {
		if strings.HasSuffix(name, "/") {
			out[i] = name + "KEY"
		}
	}
	slices.Sort(out)
	return out
}
