package test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
)

const (
	ciKey    = "AKIAIOSFODNN7EXAMPLE"
	ciSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

// iamGateway is a gateway with users, roles and an API for them.
const iamGateway = `
account: "123456789012"
region: eu-central-1
admin: {address: "127.0.0.1:{{port}}"}
listen:
  - {address: "127.0.0.1:0", tls: {certificates: internal}}
  - {address: "127.0.0.1:00", tls: {certificates: internal}, serve: aws}
  - {address: "127.0.0.1:000", tls: {certificates: internal}, serve: [apis, aws]}
iam:
  users:
    ci: {access-keys: {id: ` + ciKey + `, secret: ` + ciSecret + `}}
    boss:
      access-keys: {id: AKIABOSS000000000000, secret: ` + ciSecret + `}
      policies: {Statement: {Effect: Allow, Action: "*", Resource: "*"}}
  roles:
    deploy:
      trust: [user:ci, user:boss]
      external-id: partner-1
      max-session: 2h
      policies: {Statement: {Effect: Allow, Action: "execute-api:Invoke", Resource: "arn:aws:execute-api:*:*:shop/*"}}
    closed: {trust: role:deploy}
    chained: {trust: role:deploy, max-session: 12h}
apis:
  shop:
    domains: [localhost]
    authorize: partners
    authorizers: {partners: {iam: {}}}
    routes:
      - {match: "ANY /{proxy*}", target: "service:a", headers: {request: {set: {x-who: "${principal.id}"}}}}
services:
  a: {targets: ["{{backend}}"]}
`

// startIAM also returns the address of the admin listener.
func startIAM(t *testing.T) (r *running, admin string) {
	t.Helper()
	port := freePort(t)
	return start(t, newStage(t).expand(strings.Replace(iamGateway, "{{port}}", port, 1)), nil), "127.0.0.1:" + port
}

// client is an HTTP client that trusts the gateway.
func (r *running) client() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.roots}}}
}

// stsClient is the AWS SDK's client of STS.
func (r *running) stsClient(endpoint, id, secret, token string) *sts.Client {
	return sts.New(sts.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(endpoint), HTTPClient: r.client(), RetryMaxAttempts: 1,
		Credentials: static(id, secret, token),
	})
}

func static(id, secret, token string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, nil
	})
}

func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// The AWS SDK's client of STS, at every place where it is served.
func TestSTS(t *testing.T) {
	t.Parallel()
	r, admin := startIAM(t)
	endpoints := map[string]string{
		"its own listener":   "https://" + r.address("127.0.0.1:00"),
		"with the APIs":      "https://" + r.address("127.0.0.1:000"),
		"the admin listener": "http://" + admin,
	}
	for place, endpoint := range endpoints {
		t.Run(place, func(t *testing.T) {
			c := r.stsClient(endpoint, ciKey, ciSecret, "")
			who, err := c.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			if err != nil || *who.Arn != "arn:aws:iam::123456789012:user/ci" || *who.Account != "123456789012" || !strings.HasPrefix(*who.UserId, "AIDA") {
				t.Fatalf("%+v %v", who, err)
			}
			session, err := c.AssumeRole(t.Context(), &sts.AssumeRoleInput{
				RoleArn: aws.String("arn:aws:iam::123456789012:role/deploy"), RoleSessionName: aws.String("run-1"), ExternalId: aws.String("partner-1"),
				DurationSeconds: aws.Int32(900), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("blue sky")}}, SourceIdentity: aws.String("ann"),
				Policy: aws.String(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:shop/*/GET/*"}}`),
			})
			if err != nil {
				t.Fatal(err)
			}
			got := session.Credentials
			left := time.Until(*got.Expiration)
			if !strings.HasPrefix(*got.AccessKeyId, "ASIA") || left < 14*time.Minute || left > 15*time.Minute || *session.SourceIdentity != "ann" ||
				*session.AssumedRoleUser.Arn != "arn:aws:sts::123456789012:assumed-role/deploy/run-1" {
				t.Errorf("%+v, %v left", session, left)
			}
			who, err = r.stsClient(endpoint, *got.AccessKeyId, *got.SecretAccessKey, *got.SessionToken).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			if err != nil || *who.Arn != *session.AssumedRoleUser.Arn || *who.UserId != *session.AssumedRoleUser.AssumedRoleId {
				t.Errorf("the session: %+v %v", who, err)
			}
			r.useSession(t, got)
		})
	}
}

// useSession calls the API with a session's credentials.
func (r *running) useSession(t *testing.T, c *types.Credentials) {
	t.Helper()
	for method, want := range map[string]int{"GET": 200, "DELETE": 403} { // by the session policy
		m := message{method: method, target: "/orders/42", host: "localhost"}
		m.signer = parseSigner(t, "sign", *c.AccessKeyId+" "+*c.SecretAccessKey+" region=eu-central-1 token="+*c.SessionToken)
		got := sendHTTP2(t, r, m.signed(t))
		if got.status != want || want == 200 && !strings.Contains(got.body, `"iam:123456789012|assumed-role/deploy/run-1"`) {
			t.Errorf("%s with the session: %d %s", method, got.status, got.body)
		}
	}
}

// What STS refuses, by the errors that clients know.
func TestSTSRefuses(t *testing.T) {
	t.Parallel()
	r, _ := startIAM(t)
	endpoint := "https://" + r.address("127.0.0.1:00")
	assume := func(c *sts.Client, change func(*sts.AssumeRoleInput)) error {
		in := &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/deploy"), RoleSessionName: aws.String("run-1"), ExternalId: aws.String("partner-1")}
		change(in)
		_, err := c.AssumeRole(t.Context(), in)
		return err
	}
	ci, boss := r.stsClient(endpoint, ciKey, ciSecret, ""), r.stsClient(endpoint, "AKIABOSS000000000000", ciSecret, "")
	session, err := ci.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::123456789012:role/deploy"), RoleSessionName: aws.String("run-1"), ExternalId: aws.String("partner-1")})
	if err != nil {
		t.Fatal(err)
	}
	temporary := session.Credentials
	chained := r.stsClient(endpoint, *temporary.AccessKeyId, *temporary.SecretAccessKey, *temporary.SessionToken)
	role := func(name string) func(*sts.AssumeRoleInput) {
		return func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::123456789012:role/" + name) }
	}
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"fine", assume(ci, func(*sts.AssumeRoleInput) {}), ""},
		{"a wrong secret", assume(r.stsClient(endpoint, ciKey, ciSecret+"x", ""), func(*sts.AssumeRoleInput) {}), "SignatureDoesNotMatch"},
		{"an unknown key", assume(r.stsClient(endpoint, "AKIANOBODY0000000000", ciSecret, ""), func(*sts.AssumeRoleInput) {}), "InvalidClientTokenId"},
		{"a session's key without its token", assume(r.stsClient(endpoint, *temporary.AccessKeyId, *temporary.SecretAccessKey, ""), func(*sts.AssumeRoleInput) {}), "InvalidClientTokenId"},
		{"no external id", assume(ci, func(in *sts.AssumeRoleInput) { in.ExternalId = nil }), "AccessDenied"},
		{"a wrong external id", assume(ci, func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("partner-2") }), "AccessDenied"},
		{"a role that does not trust", assume(ci, role("closed")), "AccessDenied"},
		{"nor the one who may do everything", assume(boss, role("closed")), "AccessDenied"},
		{"no such role", assume(boss, role("nothing")), "AccessDenied"},
		{"a role of another account", assume(boss, func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String("arn:aws:iam::999988887777:role/deploy") }), "AccessDenied"},
		{"by way of a role", assume(chained, role("chained")), ""},
		{"by way of a role, too long", assume(chained, func(in *sts.AssumeRoleInput) { role("chained")(in); in.DurationSeconds = aws.Int32(3601) }), "ValidationError"},
		{"too short", assume(ci, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }), "ValidationError"},
		{"longer than the role", assume(ci, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7201) }), "ValidationError"},
		{"longer than any", assume(ci, func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(43201) }), "ValidationError"},
		{"a name that is none", assume(ci, func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b|c") }), "ValidationError"},
		{"a policy that is none", assume(ci, func(in *sts.AssumeRoleInput) { in.Policy = aws.String(`{"Statement":{"Effect":"Alow"}}`) }), "MalformedPolicyDocument"},
		{"a policy too large", assume(ci, func(in *sts.AssumeRoleInput) {
			in.Policy = aws.String(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::` + strings.Repeat("x", 2048) + `"}}`)
		}), "MalformedPolicyDocument"},
		{"tags that conditions do not tell apart", assume(ci, func(in *sts.AssumeRoleInput) {
			in.Tags = []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("A"), Value: aws.String("2")}}
		}), "InvalidParameterValue"},
		{"tags too large", assume(ci, func(in *sts.AssumeRoleInput) {
			for i := range 20 {
				in.Tags = append(in.Tags, types.Tag{Key: aws.String("k" + string(rune('a'+i))), Value: aws.String(strings.Repeat("v", 256))})
			}
		}), "PackedPolicyTooLarge"},
		{"policies by ARN", assume(ci, func(in *sts.AssumeRoleInput) {
			in.PolicyArns = []types.PolicyDescriptorType{{Arn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}}
		}), "ValidationError"},
		{"another call", func() error {
			_, err := ci.GetSessionToken(t.Context(), &sts.GetSessionTokenInput{})
			return err
		}(), "InvalidAction"},
	} {
		if got := code(tc.err); got != tc.want {
			t.Errorf("%s: %q (%v), want %q", tc.name, got, tc.err, tc.want)
		}
	}
	// Unsigned, and on a listener that serves no APIs.
	resp, err := r.client().Get(endpoint + "/orders/42")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != 403 || !strings.Contains(string(body), "<Code>MissingAuthenticationToken</Code>") {
		t.Errorf("unsigned: %d %s", resp.StatusCode, body)
	}
}

// The AWS SDK's client of an API that API Gateway itself has: signed for
// execute-api, as calls of any API are.
func TestManagementAPIClient(t *testing.T) {
	t.Parallel()
	r, _ := startIAM(t)
	c := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String("https://" + strings.Replace(r.secure(), "127.0.0.1", "localhost", 1)), HTTPClient: r.client(), RetryMaxAttempts: 1,
		Credentials: static("AKIABOSS000000000000", ciSecret, ""),
	})
	_, err := c.PostToConnection(context.Background(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: aws.String("L0SM9cOFvHcCIhw="), Data: []byte("hello")})
	if err != nil {
		t.Error(err)
	}
	c = apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String("https://" + strings.Replace(r.secure(), "127.0.0.1", "localhost", 1)), HTTPClient: r.client(), RetryMaxAttempts: 1,
		Credentials: static(ciKey, ciSecret, ""),
	})
	_, err = c.PostToConnection(context.Background(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: aws.String("L0SM9cOFvHcCIhw="), Data: []byte("hello")})
	if code(err) != "AccessDeniedException" {
		t.Errorf("a user without policies: %v", err)
	}
}
