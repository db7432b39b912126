package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/iam"
)

// signByHand signs a request by AWS's description of the steps, for what no SDK
// signs: the path as RequestURI has it, the headers that are named. It returns
// the signature.
func signByHand(r *http.Request, secret string, at time.Time, headers, payload string, id ...string) string {
	stamp := at.UTC().Format(stampForm)
	if strings.Contains(headers, "x-amz-date") {
		r.Header.Set("X-Amz-Date", stamp)
	}
	path, query, _ := strings.Cut(strings.TrimPrefix(r.URL.RequestURI(), "https://"+r.URL.Host), "?")
	if r.URL.Opaque != "" {
		path = strings.TrimPrefix(r.URL.Opaque, "//api.shop.test")
	}
	var lines, pairs []string
	for name := range strings.SplitSeq(headers, ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		lines = append(lines, name+":"+strings.Join(strings.Fields(value), " ")+"\n")
	}
	values, _ := url.ParseQuery(query)
	for name, list := range values {
		for _, value := range list {
			pairs = append(pairs, strings.ReplaceAll(url.QueryEscape(name)+"="+url.QueryEscape(value), "+", "%20"))
		}
	}
	slices.Sort(pairs)
	escaped := strings.NewReplacer("%", "%25", " ", "%20").Replace(path)
	canonical := strings.Join([]string{r.Method, escaped, strings.Join(pairs, "&"), strings.Join(lines, ""), headers, payload}, "\n")
	scope := stamp[:8] + "/" + region + "/execute-api/aws4_request"
	signature := hex.EncodeToString(hmacOf(handKey(secret, scope), "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hashOf(canonical)))
	who := keyID
	if len(id) > 0 {
		who = id[0]
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+who+"/"+scope+",SignedHeaders="+headers+",Signature="+signature)
	return signature
}

func handKey(secret, scope string) []byte {
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacOf(key, part)
	}
	return key
}

func hmacOf(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func newStranger() *iam.Sealer { return iam.NewSealer([32]byte{9}) }
