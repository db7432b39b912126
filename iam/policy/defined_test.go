package policy

import "testing"

// API Gateway writes an API's own ARN with the id that it has there.
func TestOwnResource(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/prod/GET/orders/*": "execute-api:/prod/GET/orders/*",
		"arn:aws:execute-api:eu-west-1:123456789012:a1b2c3/*":                 "execute-api:/*",
		"arn:aws:execute-api:*:*:*":                                           "execute-api:/*",
		"execute-api:/prod/*":                                                 "execute-api:/prod/*",
		"arn:aws:s3:::bucket/a":                                               "arn:aws:s3:::bucket/a",
		"*":                                                                   "*",
	} {
		if got := ownResource(arn); got != want {
			t.Errorf("%s is read as %s, want %s", arn, got, want)
		}
	}
}
