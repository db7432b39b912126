package aws

import "gatehouse/config"

type (
	statement struct {
		config.At
		ByteMatch  *byteMatch  `yaml:"ByteMatchStatement"`
		SQLi       *sqliMatch  `yaml:"SqliMatchStatement"`
		XSS        *xssMatch   `yaml:"XssMatchStatement"`
		Size       *sizeMatch  `yaml:"SizeConstraintStatement"`
		Geo        *geoMatch   `yaml:"GeoMatchStatement"`
		Group      *groupMatch `yaml:"RuleGroupReferenceStatement"`
		IPSet      *setMatch   `yaml:"IPSetReferenceStatement"`
		RegexSet   *regexSet   `yaml:"RegexPatternSetReferenceStatement"`
		Rate       *rateBased  `yaml:"RateBasedStatement"`
		And        *several    `yaml:"AndStatement"`
		Or         *several    `yaml:"OrStatement"`
		Not        *one        `yaml:"NotStatement"`
		Managed    *managed    `yaml:"ManagedRuleGroupStatement"`
		LabelMatch *labelMatch `yaml:"LabelMatchStatement"`
		Regex      *regexMatch `yaml:"RegexMatchStatement"`
		ASN        any         `yaml:"AsnMatchStatement"`
	}

	several struct {
		config.At
		Statements []statement `yaml:"Statements,required"`
	}

	one struct {
		config.At
		Statement *statement `yaml:"Statement,required"`
	}

	byteMatch struct {
		config.At
		Search     string      `yaml:"SearchString"`
		Base64     string      `yaml:"SearchStringBase64"`
		Field      fieldModel  `yaml:"FieldToMatch,required"`
		Transforms []transform `yaml:"TextTransformations"`
		Position   string      `yaml:"PositionalConstraint,required" enum:"EXACTLY|STARTS_WITH|ENDS_WITH|CONTAINS|CONTAINS_WORD"`
	}

	regexMatch struct {
		config.At
		Regex      string      `yaml:"RegexString,required"`
		Field      fieldModel  `yaml:"FieldToMatch,required"`
		Transforms []transform `yaml:"TextTransformations"`
	}

	regexSet struct {
		config.At
		ARN        string      `yaml:"ARN,required"`
		Field      fieldModel  `yaml:"FieldToMatch,required"`
		Transforms []transform `yaml:"TextTransformations"`
	}

	sqliMatch struct {
		config.At
		Field       fieldModel  `yaml:"FieldToMatch,required"`
		Transforms  []transform `yaml:"TextTransformations"`
		Sensitivity string      `yaml:"SensitivityLevel" enum:"LOW|HIGH"`
	}

	xssMatch struct {
		config.At
		Field      fieldModel  `yaml:"FieldToMatch,required"`
		Transforms []transform `yaml:"TextTransformations"`
	}

	sizeMatch struct {
		config.At
		Field      fieldModel  `yaml:"FieldToMatch,required"`
		Transforms []transform `yaml:"TextTransformations"`
		Operator   string      `yaml:"ComparisonOperator,required" enum:"EQ|NE|LE|LT|GE|GT"`
		Size       int64       `yaml:"Size"`
	}

	geoMatch struct {
		config.At
		Codes     []string   `yaml:"CountryCodes,required"`
		Forwarded *forwarded `yaml:"ForwardedIPConfig"`
	}

	setMatch struct {
		config.At
		ARN       string     `yaml:"ARN,required"`
		Forwarded *forwarded `yaml:"IPSetForwardedIPConfig"`
	}

	forwarded struct {
		config.At
		Header   string `yaml:"HeaderName,required"`
		Fallback string `yaml:"FallbackBehavior,required" enum:"MATCH|NO_MATCH"`
		Position string `yaml:"Position" enum:"FIRST|LAST|ANY"`
	}

	labelMatch struct {
		config.At
		Scope string `yaml:"Scope,required" enum:"LABEL|NAMESPACE"`
		Key   string `yaml:"Key,required"`
	}

	groupMatch struct {
		config.At
		ARN       string      `yaml:"ARN,required"`
		Excluded  []label     `yaml:"ExcludedRules"`
		Overrides []otherwise `yaml:"RuleActionOverrides"`
	}

	otherwise struct {
		config.At
		Name   string  `yaml:"Name,required"`
		Action *action `yaml:"ActionToUse,required"`
	}

	managed struct {
		config.At
		Vendor    any    `yaml:"VendorName"`
		Name      string `yaml:"Name"`
		Version   any    `yaml:"Version"`
		Excluded  any    `yaml:"ExcludedRules"`
		Scope     any    `yaml:"ScopeDownStatement"`
		Configs   any    `yaml:"ManagedRuleGroupConfigs"`
		Overrides any    `yaml:"RuleActionOverrides"`
	}

	rateBased struct {
		config.At
		Limit     int        `yaml:"Limit,required" range:"10..2000000000"`
		Window    int        `yaml:"EvaluationWindowSec" default:"300" range:"60..600"`
		KeyType   string     `yaml:"AggregateKeyType,required" enum:"IP|FORWARDED_IP|CONSTANT|CUSTOM_KEYS"`
		Forwarded *forwarded `yaml:"ForwardedIPConfig"`
		Scope     *statement `yaml:"ScopeDownStatement"`
		Keys      []key      `yaml:"CustomKeys"`
	}

	key struct {
		config.At
		Header    *named     `yaml:"Header"`
		Cookie    *named     `yaml:"Cookie"`
		Argument  *named     `yaml:"QueryArgument"`
		Query     *plain     `yaml:"QueryString"`
		Path      *plain     `yaml:"UriPath"`
		Method    *empty     `yaml:"HTTPMethod"`
		Forwarded *empty     `yaml:"ForwardedIP"`
		IP        *empty     `yaml:"IP"`
		Label     *namespace `yaml:"LabelNamespace"`
		JA3       *fallback  `yaml:"JA3Fingerprint"`
		JA4       *fallback  `yaml:"JA4Fingerprint"`
		ASN       any        `yaml:"ASN"`
	}

	named struct {
		config.At
		Name       string      `yaml:"Name,required"`
		Transforms []transform `yaml:"TextTransformations"`
	}

	plain struct {
		config.At
		Transforms []transform `yaml:"TextTransformations"`
	}

	namespace struct {
		config.At
		Namespace string `yaml:"Namespace,required"`
	}

	transform struct {
		config.At
		Priority int    `yaml:"Priority"`
		Type     string `yaml:"Type,required"`
	}

	empty struct{ config.At }

	fallback struct {
		config.At
		Behavior string `yaml:"FallbackBehavior" enum:"MATCH|NO_MATCH"`
	}

	fieldModel struct {
		config.At
		Header    *single   `yaml:"SingleHeader"`
		Argument  *single   `yaml:"SingleQueryArgument"`
		Arguments *empty    `yaml:"AllQueryArguments"`
		Path      *empty    `yaml:"UriPath"`
		Fragment  any       `yaml:"UriFragment"`
		Query     *empty    `yaml:"QueryString"`
		Body      *oversize `yaml:"Body"`
		Method    *empty    `yaml:"Method"`
		JSON      *jsonBody `yaml:"JsonBody"`
		Headers   *pattern  `yaml:"Headers"`
		Cookies   *pattern  `yaml:"Cookies"`
		Order     *oversize `yaml:"HeaderOrder"`
		JA3       *fallback `yaml:"JA3Fingerprint"`
		JA4       *fallback `yaml:"JA4Fingerprint"`
	}

	single struct {
		config.At
		Name string `yaml:"Name,required"`
	}

	oversize struct {
		config.At
		Handling string `yaml:"OversizeHandling" enum:"CONTINUE|MATCH|NO_MATCH"`
	}

	jsonBody struct {
		config.At
		Pattern struct {
			config.At
			All   *empty   `yaml:"All"`
			Paths []string `yaml:"IncludedPaths"`
		} `yaml:"MatchPattern"`
		Scope    string `yaml:"MatchScope,required" enum:"ALL|KEY|VALUE"`
		Invalid  string `yaml:"InvalidFallbackBehavior" enum:"MATCH|NO_MATCH|EVALUATE_AS_STRING"`
		Handling string `yaml:"OversizeHandling" enum:"CONTINUE|MATCH|NO_MATCH"`
	}

	pattern struct {
		config.At
		Pattern struct {
			config.At
			All             *empty   `yaml:"All"`
			IncludedHeaders []string `yaml:"IncludedHeaders"`
			ExcludedHeaders []string `yaml:"ExcludedHeaders"`
			IncludedCookies []string `yaml:"IncludedCookies"`
			ExcludedCookies []string `yaml:"ExcludedCookies"`
		} `yaml:"MatchPattern"`
		Scope    string `yaml:"MatchScope,required" enum:"ALL|KEY|VALUE"`
		Handling string `yaml:"OversizeHandling" enum:"CONTINUE|MATCH|NO_MATCH"`
	}
)
