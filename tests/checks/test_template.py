"""Reading templates: CloudFormation's functions, references between stacks, and what cannot be known."""

import pytest

from stacks.checks.assembly import Arguments, production_by_name
from stacks.checks.references import mentions, shown
from stacks.checks.template import Attribute, Template
from stacks.checks.templates import Templates
from stacks.checks.values import Text, Unknown, number, truth, within


def template(body=None, **settings):
    resources = {"Database": {"Type": "AWS::RDS::DBInstance"}, "Proxy": {"Type": "AWS::RDS::DBProxy"}}
    one = Template({"Resources": resources, **(body or {})}, "Stack", **settings)
    Templates([one])
    return one


def resolved(value, body=None, **settings):
    return template(body, **settings).resolve(value)


def test_what_is_literal_stays_as_it_is():
    assert resolved({"a": [1, "x", True]}) == {"a": [1, "x", True]}


def test_a_reference_to_a_resource_is_an_attribute_of_it():
    one = template()
    assert one.resolve({"Ref": "Proxy"}) == Attribute(one.resources["Proxy"], "Ref")
    assert one.resolve({"Fn::GetAtt": ["Database", "Endpoint.Address"]}) == one.resolve(
        {"Fn::GetAtt": "Database.Endpoint.Address"}
    )


def test_no_value_is_left_out():
    assert resolved({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}) == {"b": [1]}


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Parameter"},
        {"Ref": "AWS::AccountId"},
        {"Fn::If": ["Condition", 1, 2]},
        {"Fn::GetAZs": ""},
        {"Fn::ImportValue": "elsewhere"},
        {"Fn::GetStackOutput": {"StackName": "elsewhere", "OutputName": "x"}},
        {"Fn::Select": [7, ["a"]]},
        {"Fn::FindInMap": ["Nothing", "a", "b"]},
        {"Fn::GetAtt": ["Nobody", "Arn"]},
        {"Fn::Transform": {"Name": "AWS::Include"}},
    ],
    ids=str,
)
def test_what_only_a_deployment_decides_is_unknown(value):
    assert isinstance(resolved(value), Unknown)


def test_the_same_unknown_is_equal_to_itself_only():
    first, second = ({"Fn::Select": [i, {"Fn::GetAZs": ""}]} for i in (0, 1))
    assert resolved(first) == resolved(first)
    assert resolved(first) != resolved(second)


def test_text_keeps_its_known_parts_and_its_references():
    one = template(region="eu-west-1")
    joined = one.resolve(
        {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Region"}, ":", {"Ref": "AWS::AccountId"}, ":", {"Ref": "Proxy"}]]}
    )
    assert isinstance(joined, Text)
    assert joined.literal == "arn:eu-west-1:\0:\0"
    assert mentions(joined, one.resources["Proxy"])
    substituted = one.resolve({"Fn::Sub": "arn:${AWS::Region}:${AWS::AccountId}:${Proxy}"})
    assert substituted.literal == joined.literal


def test_substitution_has_its_own_variables_and_literal_dollars():
    assert resolved({"Fn::Sub": ["${a}-${!b}", {"a": "x"}]}) == "x-${b}"


def test_text_of_which_all_is_known_is_plain():
    assert resolved({"Fn::Join": ["/", ["a", "b", {"Fn::Select": [1, {"Fn::Split": [":", "x:y"]}]}]]}) == "a/b/y"


def test_a_part_of_a_resources_arn_is_still_about_the_resource():
    """As in the user that grantConnect names: dbuser:prx-…/application."""
    one = template()
    part = one.resolve({"Fn::Select": [6, {"Fn::Split": [":", {"Fn::GetAtt": ["Proxy", "DBProxyArn"]}]}]})
    assert part.resource is one.resources["Proxy"]


def test_a_map_is_read_by_region_and_where_all_rows_agree():
    body = {"Mappings": {"M": {"eu-west-1": {"a": 1, "b": 5}, "us-east-1": {"a": 2, "b": 5}}}}
    by_region = {"Fn::FindInMap": ["M", {"Ref": "AWS::Region"}, "a"]}
    assert resolved(by_region, body, region="eu-west-1") == 1
    assert isinstance(resolved(by_region, body), Unknown)


def test_an_export_is_the_resource_of_the_other_stack():
    output = {"Value": {"Ref": "Proxy"}, "Export": {"Name": "data:Proxy"}}
    first = Template(
        {"Resources": {"Proxy": {"Type": "AWS::RDS::DBProxy"}}, "Outputs": {"P": output}}, "Data", name="data"
    )
    second = Template({"Resources": {}}, "Service")
    Templates([second, first])
    assert second.resolve({"Fn::ImportValue": "data:Proxy"}).resource is first.resources["Proxy"]
    assert second.resolve({"Fn::ImportValue": {"Fn::Sub": "data:Proxy"}}).resource is first.resources["Proxy"]
    weak = {"Fn::GetStackOutput": {"StackName": "data", "OutputName": "P"}}
    assert second.resolve(weak).resource is first.resources["Proxy"]


def test_a_nested_stack_has_its_parents_resources_and_gives_its_own():
    parent = template(
        {"Resources": {"Proxy": {"Type": "AWS::RDS::DBProxy"}, "Nested": {"Type": "AWS::CloudFormation::Stack"}}}
    )
    nested = Template(
        {"Resources": {"Fn": {"Type": "AWS::Lambda::Function"}}, "Outputs": {"Arn": {"Value": {"Ref": "Fn"}}}}, "Nested"
    )
    nested.arguments = Arguments(parent, {"host": {"Ref": "Proxy"}})
    parent.nested["Nested"] = nested
    assert nested.resolve({"Ref": "host"}).resource is parent.resources["Proxy"]
    assert parent.resolve({"Fn::GetAtt": ["Nested", "Outputs.Arn"]}).resource is nested.resources["Fn"]


def test_numbers_and_truth_may_be_written_as_text():
    assert [number(each) for each in (5, "5", 0.5, True, "x", None, Unknown(""))] == [5, 5, 0.5, None, None, None, None]
    assert [truth(each) for each in (True, "true", "False", None, Unknown(""), 3)] == [
        True,
        True,
        False,
        False,
        None,
        None,
    ]


def test_a_property_is_absent_known_or_unknown():
    assert within({"a": {"b": 1}}, "a", "b") == 1
    assert within({"a": {"b": 1}}, "a", "c") is None
    assert within({"a": Unknown("x")}, "a", "b") == Unknown("x")
    assert within({"a": "text"}, "a", "b") is None


def test_values_are_shown_as_a_person_would_write_them():
    one = template()
    assert shown(one.resolve({"Fn::Sub": "${Proxy.Endpoint}:5432"})) == "${Proxy.Endpoint}:5432"
    assert shown(None) == "not set"
    assert shown(True) == "true"


@pytest.mark.parametrize(
    ("path", "production"),
    [
        ("prod/Data", True),
        ("MyProdStack", True),
        ("service-production", True),
        ("PRD/Api", True),
        ("live/Data", True),
        ("dev/Data", False),
        ("staging/Data", False),
        ("local/Service", False),
        ("NonProd/Data", False),
        ("pre-prod/Data", False),
        ("Stack", None),
        ("ProductCatalogue", None),
        ("Deliveries", None),
        ("Products/Live2Stream", True),
        ("prod/FeatureFlags", True),
        ("test/LiveStream", False),
        ("Uat-Orders", False),
    ],
)
def test_a_stacks_path_says_whether_it_is_production(path, production):
    assert production_by_name(path) is production


def test_a_function_of_sam_has_what_its_globals_say():
    function = {"Type": "AWS::Serverless::Function", "Properties": {"Timeout": 5}}
    one = template({"Globals": {"Function": {"Timeout": 20, "MemorySize": 512}}, "Resources": {"One": function}})
    assert one.resources["One"].properties == {"Timeout": 5, "MemorySize": 512}


def test_loops_that_only_cloudformation_unrolls_are_passed_over():
    loop = ["Name", ["a", "b"], {"Topic${Name}": {"Type": "AWS::SNS::Topic"}}]
    one = template({"Resources": {"Fn::ForEach::Topics": loop}, "Outputs": {"Fn::ForEach::Names": loop}})
    assert one.resources == {}
    assert one.output("Fn::ForEach::Names") is None
    assert resolved({"Fn::ImportValue": "elsewhere"}, one.body) is not None


@pytest.mark.parametrize("function", ["Ref", "Fn::GetAtt", "Fn::Sub"])
@pytest.mark.parametrize("argument", [7, [], ["a"], {"a": 1}, [["a"], "b"], [{"Ref": "Proxy"}, 1]], ids=str)
def test_a_function_with_a_strange_argument_is_unknown(function, argument):
    assert isinstance(resolved({function: argument}), Unknown)


def test_what_a_resource_needs_is_what_it_refers_to_and_depends_on():
    sub = {"Fn::Sub": ["${Database.Endpoint.Address}:${Port}", {"Port": {"Ref": "Port"}}]}
    body = {"DependsOn": "Role", "Properties": {"A": [sub], "B": {"Fn::GetAtt": ["Key", "Arn"]}}}
    one = template({"Resources": {"One": body}})
    assert one.resources["One"].needs == {"Role", "Database", "Port", "Key"}
