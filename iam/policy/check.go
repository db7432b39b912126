package policy

import (
	"strings"

	"gatehouse/config"
)

// checker holds texts of a document against the forms that they must have.
type checker struct {
	version string
	report  *config.Report
}

// action wants "*" or SERVICE:NAME with wildcards in NAME.
func (c *checker) action(at config.Pos, text string) {
	if text == "*" {
		return
	}
	service, name, ok := strings.Cut(text, ":")
	switch {
	case !ok || service == "" || name == "":
		c.report.Errorf(at, `%s is no action: write SERVICE:NAME such as execute-api:Invoke, or "*"`, quoteShort(text))
	case service != "*" && strings.ContainsAny(service, "*?"):
		c.report.Errorf(at, "%s: the service of an action has no wildcards", quoteShort(text))
	case service == "*" && name != "*":
		c.report.Errorf(at, `%s: write "*" for every action`, quoteShort(text))
	case !isActionText(service) || !isActionText(name):
		c.report.Errorf(at, "%s is no action: it has letters, digits, -, _ and wildcards alone", quoteShort(text))
	}
}

func isActionText(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isAlnum(c) && strings.IndexByte("-_*?", c) < 0 {
			return false
		}
	}
	return true
}

// resource wants "*" or an ARN.
func (c *checker) resource(at config.Pos, text string) {
	if text == "*" {
		return
	}
	c.arn(at, text)
}

// resourceOfAPI also knows the short form of an API's own policy.
func (c *checker) resourceOfAPI(at config.Pos, text string) {
	if rest, short := strings.CutPrefix(text, ShortPrefix); short && !strings.Contains(rest, ":") {
		c.pattern(at, text)
		return
	}
	c.resource(at, text)
}

// arn wants a pattern of an ARN: six parts joined by ":".
func (c *checker) arn(at config.Pos, text string) {
	if !c.pattern(at, text) {
		return
	}
	parts, ok := splitPattern(parsePattern(text, c.wildcards()))
	switch {
	case !ok:
		c.report.Errorf(at, "%s is no ARN: it has six parts, arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE, of which wildcards cross none", quoteShort(text))
	case !parts[0].is("arn"):
		c.report.Errorf(at, "%s is no ARN: it begins with arn:", quoteShort(text))
	case c.outside(text):
		c.report.Errorf(at, "%s: the path of an execute-api ARN is percent-encoded, as in a URL: %%20 for a space", quoteShort(text))
	}
}

// outside reports a pattern of an API's ARN that no request can have.
func (c *checker) outside(text string) bool {
	return strings.HasPrefix(text, "arn:aws:execute-api:") && strings.IndexFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f }) >= 0 && !strings.Contains(text, "${")
}

// pattern wants variables that are well formed.
func (c *checker) pattern(at config.Pos, text string) bool {
	if problem := checkPattern(text, c.wildcards()); problem != "" {
		c.report.Errorf(at, "%s: %s", quoteShort(text), problem)
		return false
	}
	return true
}

func (c *checker) wildcards() dialect {
	return dialect{wildcards: true, variables: c.version == Version2012}
}

// principal wants "*", an account or the ARN of one, a user, a role or a
// session.
func (c *checker) principal(at config.Pos, text string) {
	if text == "*" || isAccount(text) {
		return
	}
	a, ok := parseARN(text)
	switch {
	case strings.ContainsAny(text, "*?"):
		c.report.Errorf(at, `%s: a principal has no wildcards but "*" alone: narrow "*" by a condition on aws:PrincipalArn`, quoteShort(text))
	case !ok || a.part(0) != "arn" || !isAccount(a.part(4)):
		c.report.Errorf(at, "%s is no principal: write an account's 12 digits or an ARN such as arn:aws:iam::123456789012:user/ci", quoteShort(text))
	case a.part(2) == "iam" && (a.resource() == "root" || hasName(a.resource(), "user/") || hasName(a.resource(), "role/")):
	case a.part(2) == "sts" && hasName(a.resource(), "assumed-role/") && strings.Count(a.resource(), "/") == 2:
	default:
		c.report.Errorf(at, "%s names no principal: those are root, user/NAME and role/NAME of iam, and assumed-role/ROLE/SESSION of sts", quoteShort(text))
	}
}

func hasName(resource, kind string) bool {
	name, ok := strings.CutPrefix(resource, kind)
	return ok && name != ""
}

func (c *checker) service(at config.Pos, text string) {
	if !strings.HasSuffix(text, ".amazonaws.com") || strings.ContainsAny(text, "*?/: ") {
		c.report.Errorf(at, "%s is no service: write lambda.amazonaws.com or apigateway.amazonaws.com", quoteShort(text))
	}
}

// conditionKey wants a name that can exist. A key of AWS's own namespace that
// AWS does not have is a misspelling; one that the gateway never fills is not.
func (c *checker) conditionKey(at config.Pos, name string) {
	prefix, rest, ok := strings.Cut(name, ":")
	if !ok || prefix == "" || rest == "" {
		c.report.Errorf(at, "%s is no condition key: write PREFIX:NAME such as aws:SourceIp", quoteShort(name))
		return
	}
	if known := namesOf(prefix); known != nil && !isKnown(name) {
		c.report.Unknown(at, "condition key", name, known)
	}
}

// conditionValue wants what the operator compares with.
func (c *checker) conditionValue(at config.Pos, op operator, text string) {
	switch op.compare {
	case compareString, compareFold, compareLike:
		c.pattern(at, text)
	case compareARN:
		if text != "*" {
			c.arn(at, text)
		}
	default:
		if c.version == Version2012 && strings.Contains(text, "${") {
			c.report.Errorf(at, "%s: variables stand in values of string and ARN operators alone", quoteShort(text))
			return
		}
		if problem := checkOperand(op, text); problem != "" {
			c.report.Errorf(at, "%s %s", quoteShort(text), problem)
		}
	}
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}
