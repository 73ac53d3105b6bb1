package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/soda"
)

// object is an object of JSON.
type object = map[string]any

const formType = "application/x-www-form-urlencoded"

// openAPI answers with the description of the service by OpenAPI 3.1.
func (s *server) openAPI(w http.ResponseWriter, r *http.Request) error {
	body, err := json.MarshalIndent(s.openAPIDocument(), "", " ")
	if err != nil {
		return fault.New(fault.Internal, "api.openAPI", "%w", err)
	}
	return page(w, "application/json", append(body, '\n'))
}

func (s *server) openAPIDocument() object {
	paths := make(object)
	for _, o := range operations() {
		methods, ok := paths[o.path].(object)
		if !ok {
			methods = make(object)
			if names := variables(o.path); len(names) > 0 {
				var params []object
				for _, name := range names {
					params = append(params, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
				}
				methods["parameters"] = params
			}
			paths[o.path] = methods
		}
		methods[strings.ToLower(o.method)] = o.openAPI()
	}
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Seltzer", "version": "1",
			"summary":     "Cutouts of astronomical images",
			"description": "An image cutout service by the IVOA's SODA 1.0, UWS 1.1, DataLink 1.1, DALI 1.1 and VOSI 1.1. Names of parameters and their words are taken in any case, empty values are as absent, and unknown parameters are ignored and named in the header " + IgnoredHeader + ".",
			"license":     object{"name": "Apache License 2.0", "identifier": "Apache-2.0"},
		},
		"servers": []object{{"url": s.PublicURL}},
		"paths":   paths,
		"components": object{
			"schemas": object{"Problem": object{
				"type": "object", "description": "an error (RFC 9457)",
				"required": []string{"title", "status", "detail"},
				"properties": object{
					"title": object{"type": "string", "description": "the label by which SODA 1.0 names the kind of error"}, "status": object{"type": "integer"},
					"detail": object{"type": "string", "description": "what was wrong, and what to send instead"}, "code": object{"type": "string"},
				},
			}},
			"responses": object{
				"Error": errorAnswer("an error: text that begins with a label of SODA 1.0, or what Accept prefers",
					false, "with 503: after so many seconds it is worth asking again"),
				"Quota": errorAnswer("you ask for more than one owner may have: requests in a minute, jobs and cutouts that have not ended, bytes in a day; the error says how much is used, and what is allowed",
					true, "after so many seconds there may be room again"),
			},
		},
	}
}

// errorAnswer describes an answer that is an error, with what its header Retry-After says.
func errorAnswer(what string, always bool, after string) object {
	return object{
		"description": what,
		"headers":     object{"Retry-After": object{"description": after, "required": always, "schema": object{"type": "integer", "minimum": 1}}},
		"content": object{
			plainType:                  object{"schema": object{"type": "string"}},
			"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}},
			votableType:                object{"schema": object{"type": "string"}},
		},
	}
}

// openAPI describes the operation.
func (o operation) openAPI() object {
	answers := object{"default": object{"$ref": "#/components/responses/Error"}}
	if o.counts() {
		answers[strconv.Itoa(http.StatusTooManyRequests)] = object{"$ref": "#/components/responses/Quota"}
	}
	for _, a := range o.answers {
		described := object{"description": a.what}
		if a.status == http.StatusSeeOther {
			described["headers"] = object{"Location": object{"required": true, "schema": object{"type": "string", "format": "uri"}}}
		}
		content := make(object)
		for _, kind := range a.kinds {
			schema := object{"type": "string"}
			if kind == "application/json" {
				schema = object{"type": "object"}
			}
			content[kind] = object{"schema": schema}
		}
		if len(content) > 0 {
			described["content"] = content
		}
		answers[strconv.Itoa(a.status)] = described
	}
	described := object{"operationId": o.name, "summary": o.summary, "responses": answers}
	if len(o.params) == 0 {
		return described
	}
	if o.method == http.MethodPost {
		described["requestBody"] = o.body()
		return described
	}
	var params []object
	for _, p := range o.params {
		params = append(params, object{
			"name": p.Name, "in": "query", "description": describeInWords(p), "required": p.Required, "schema": schema(p, o.one(p)), "example": exampleOf(p, o.one(p)),
		})
	}
	described["parameters"] = params
	return described
}

// one reports whether the parameter takes one value: what an async request may have several
// of, a sync one may have once.
func (o operation) one(p soda.Parameter) bool {
	return p.Values == soda.Once || p.Values == soda.Product && o.path == "/sync"
}

// body describes the form of a POST.
func (o operation) body() object {
	properties := make(object)
	var needed []string
	for _, p := range o.params {
		described := schema(p, o.one(p))
		described["description"], described["examples"] = describeInWords(p), []any{exampleOf(p, o.one(p))}
		properties[p.Name] = described
		if p.Required {
			needed = append(needed, p.Name)
		}
	}
	form := object{"type": "object", "properties": properties}
	if len(needed) > 0 {
		form["required"] = needed
	}
	content := object{"schema": form}
	return object{"content": object{formType: content, "multipart/form-data": content}}
}

// describeInWords says what a parameter is, what its numbers may be, and what leaving it out
// means: as a default of the schema that would be sent, and two names of one choice collide.
func describeInWords(p soda.Parameter) string {
	words := p.Description
	if l := limits(p); l != "" {
		words += "; " + l
	}
	if p.Usual != "" {
		words += "; left out: " + p.Usual
	}
	return words
}

// schema describes the values of a parameter.
func schema(p soda.Parameter, one bool) object {
	value := object{"type": "string"}
	switch {
	case len(p.Options) > 0:
		value["enum"] = p.Options
	case p.MaxLength > 0:
		value["maxLength"] = p.MaxLength
	case len(p.Numbers) == 1 && p.Numbers[0].Whole:
		value = object{"type": "integer", "minimum": p.Numbers[0].Min, "maximum": p.Numbers[0].Max}
	case len(p.Numbers) > 0:
		value["pattern"] = `^\s*[-+.0-9eEIinf]+(\s+[-+.0-9eEIinf]+)*\s*$`
	}
	if one {
		return value
	}
	return object{"type": "array", "items": value}
}

func exampleOf(p soda.Parameter, one bool) any {
	var value any = p.Example
	if n, err := strconv.Atoi(p.Example); err == nil && len(p.Numbers) == 1 {
		value = n
	}
	if one {
		return value
	}
	return []any{value}
}
