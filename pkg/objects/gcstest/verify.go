package gcstest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// verifier lets through what carries a V4 signature that holds. Source: Google Cloud,
// "Signatures" and "Canonical requests",
// https://cloud.google.com/storage/docs/authentication/signatures.
type verifier struct {
	account string
	key     *rsa.PublicKey
	next    http.Handler
	now     func() time.Time
}

const (
	algorithm = "GOOG4-RSA-SHA256"
	stamp     = "20060102T150405Z"
	day       = "20060102"
	week      = 7 * 24 * 60 * 60 // seconds, the longest time of a signature
)

func (v *verifier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*") // the rule of a bucket that pages may read …
	r.Header.Del("Origin")                             // … and not the fake's own
	status, code := v.check(r)
	if status != http.StatusOK {
		w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<?xml version='1.0' encoding='UTF-8'?><Error><Code>%s</Code></Error>", code)
		return
	}
	v.next.ServeHTTP(w, r)
}

// check returns the status of the answer and the code of the error in it.
func (v *verifier) check(r *http.Request) (status int, code string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return http.StatusBadRequest, "InvalidArgument"
	}
	if query.Get("X-Goog-Signature") == "" {
		return http.StatusForbidden, "AccessDenied"
	}
	for _, name := range []string{"Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"} {
		if len(query["X-Goog-"+name]) != 1 {
			return http.StatusBadRequest, "InvalidArgument"
		}
	}
	began, err := time.Parse(stamp, query.Get("X-Goog-Date"))
	seconds, numberErr := strconv.Atoi(query.Get("X-Goog-Expires"))
	if err != nil || numberErr != nil || seconds < 1 || seconds > week || query.Get("X-Goog-Algorithm") != algorithm {
		return http.StatusBadRequest, "InvalidArgument"
	}
	scope := began.Format(day) + "/auto/storage/goog4_request"
	if query.Get("X-Goog-Credential") != v.account+"/"+scope || query.Get("X-Goog-SignedHeaders") != "host" {
		return http.StatusForbidden, "SignatureDoesNotMatch"
	}
	signature, err := hex.DecodeString(query.Get("X-Goog-Signature"))
	if err != nil {
		return http.StatusForbidden, "SignatureDoesNotMatch"
	}
	canonical := sha256.Sum256([]byte(canonicalRequest(r, query)))
	text := sha256.Sum256([]byte(strings.Join([]string{algorithm, query.Get("X-Goog-Date"), scope, hex.EncodeToString(canonical[:])}, "\n")))
	if rsa.VerifyPKCS1v15(v.key, crypto.SHA256, text[:], signature) != nil {
		return http.StatusForbidden, "SignatureDoesNotMatch"
	}
	if age := v.now().Sub(began); age < -15*time.Minute || age >= time.Duration(seconds)*time.Second {
		return http.StatusBadRequest, "ExpiredToken"
	}
	return http.StatusOK, ""
}

// canonicalRequest writes a request as it was signed: the verb (a GET allows a HEAD), the
// path, the parameters but the signature, in order, and the host without its port.
func canonicalRequest(r *http.Request, query url.Values) string {
	verb := r.Method
	if verb == http.MethodHead {
		verb = http.MethodGet
	}
	var parameters []string
	for key, values := range query {
		if key == "X-Goog-Signature" {
			continue
		}
		for _, value := range values {
			parameters = append(parameters, escape(key)+"="+escape(value))
		}
	}
	slices.Sort(parameters)
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.Join([]string{
		verb, r.URL.EscapedPath(), strings.Join(parameters, "&"), "host:" + host, "", "host", "UNSIGNED-PAYLOAD",
	}, "\n")
}

// escape percent-encodes all but letters, digits, hyphen, dot, underscore and tilde.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
