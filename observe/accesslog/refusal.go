package accesslog

import "gatehouse/exchange"

// refusalFields say why the gateway itself refused a request.
func refusalFields() map[string]field {
	return map[string]field{
		"error.message":               {text: errorMessage},
		"error.messageString":         {text: errorMessage, quotes: true},
		"error.responseType":          {text: errorType},
		"error.validationErrorString": {text: detailOf("validate")},
		"authorizer.error":            {text: detailOf("auth")},
		"authorize.error":             {text: detailOf("authorize")},
		"waf.error":                   {text: detailOf("waf")},
		"waf.status":                  {number: true, raw: wafStatus},

		"refused.filter": {text: refusedFilter},
		"refused.reason": {text: refused(func(f *exchange.Refusal) string { return f.Reason })},
		"refused.detail": {text: refused(func(f *exchange.Refusal) string { return f.Detail })},
		"refused.rule":   {text: refusedRule},
	}
}

func refused(of func(*exchange.Refusal) string) func(*Record) string {
	return func(r *Record) string {
		if r.Refused == nil {
			return ""
		}
		return of(r.Refused)
	}
}

func errorMessage(r *Record) string {
	if r.Refused == nil {
		return ""
	}
	return r.Refused.Message
}

func refusedFilter(r *Record) string {
	if r.Refused == nil || r.Refused.Rule == nil {
		return ""
	}
	return r.Refused.Rule.Filter
}

func refusedRule(r *Record) string {
	if r.Refused == nil || r.Refused.Rule == nil {
		return ""
	}
	return r.Refused.Rule.Name
}

// detailOf returns what a filter found, where it is the one that refused.
func detailOf(filter string) func(*Record) string {
	return func(r *Record) string {
		if refusedFilter(r) != filter {
			return ""
		}
		return r.Refused.Detail
	}
}

func wafStatus(b []byte, r *Record) []byte {
	if refusedFilter(r) != "waf" {
		return b
	}
	return appendInt(b, int64(r.Refused.Status))
}

// errorType names a refusal as API Gateway names its gateway responses.
func errorType(r *Record) string {
	if r.Refused == nil {
		return ""
	}
	return r.Refused.Kind.String()
}
