package sigv4

import (
	"fmt"
	"net/http"
	"time"
)

// Fault is why a request's signature is not good, in AWS's words.
type Fault struct {
	Type    string // AWS's name of the error
	Message string // what AWS's clients are told
	Reason  string // in one or two words, one of few
	Detail  string // for log and trail; nothing of a credential
	Body    error  // why the body could not be read; nil where it could
}

// Status is what API Gateway answers with.
const Status = http.StatusForbidden

const (
	incomplete   = "IncompleteSignatureException"
	invalid      = "InvalidSignatureException"
	unrecognized = "UnrecognizedClientException"
	expiredToken = "ExpiredTokenException"
)

func malformed(message string) *Fault {
	return &Fault{Type: incomplete, Message: message, Reason: "malformed", Detail: message}
}

func wrong(reason, message string) *Fault {
	return &Fault{Type: invalid, Message: message, Reason: reason, Detail: message}
}

func unknownKey(detail string) *Fault {
	return &Fault{Type: unrecognized, Message: "The security token included in the request is invalid.", Reason: "unknown-key", Detail: detail}
}

func tokenExpired() *Fault {
	return &Fault{Type: expiredToken, Message: "The security token included in the request is expired", Reason: "expired-token", Detail: "the session has ended"}
}

// mismatch is the one answer to every signature that is not that of the
// request.
func mismatch(detail string) *Fault {
	f := wrong("bad-signature", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	f.Detail = detail
	return f
}

func expired(signed, now time.Time) *Fault {
	f := wrong("expired", fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)", signed.Format(stampForm), now.Add(-window).Format(stampForm), now.Format(stampForm)))
	f.Detail = fmt.Sprintf("signed %s ago", now.Sub(signed).Round(time.Second))
	return f
}

func early(signed, now time.Time) *Fault {
	f := wrong("not-yet", fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", signed.Format(stampForm), now.Add(window).Format(stampForm), now.Format(stampForm)))
	f.Detail = fmt.Sprintf("signed %s from now", signed.Sub(now).Round(time.Second))
	return f
}
