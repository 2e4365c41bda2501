"""Create rows for tests: the smallest valid record, with related records of the same organization."""

from __future__ import annotations

from typing import Any

import factory
from factory.django import DjangoModelFactory

from assignments.models import Filter, ProjectAssignment, ServiceAssignment, ServiceTypeAssignment
from catalog.models import Company, Deal, Project, Service, ServiceType
from productive.accounts.models import ApiToken, Organization, Person, User


def own(factory_class: str) -> factory.SubFactory:
    """Return a factory of a related record of the same organization."""
    return factory.SubFactory(
        f"tests.support.factories.{factory_class}", organization=factory.SelfAttribute("..organization")
    )


class OrganizationFactory(DjangoModelFactory[Organization]):
    class Meta:
        model = Organization

    name = factory.Sequence(lambda n: f"Organization {n}")
    time_zone = "Europe/Zagreb"


class UserFactory(DjangoModelFactory[User]):
    """A user who is a person of the organization, or of none with `organization=None`."""

    class Meta:
        model = User

    username = factory.Sequence(lambda n: f"user{n}")
    organization = factory.SubFactory(OrganizationFactory)

    @classmethod
    def _create(cls, model: type[User], *args: Any, organization: Organization | None, **kwargs: Any) -> User:
        user = super()._create(model, *args, **kwargs)
        if organization is not None:
            PersonFactory(organization=organization, user=user)
        return user


class OwnedFactory(DjangoModelFactory[Any]):
    class Meta:
        abstract = True

    organization = factory.SubFactory(OrganizationFactory)


class ApiTokenFactory(OwnedFactory):
    """A token whose secret is its name, so that a test can send it. It acts as a service user."""

    class Meta:
        model = ApiToken

    name = factory.Sequence(lambda n: f"secret-{n}")
    user = factory.SubFactory(
        UserFactory, organization=None, service_account_of=factory.SelfAttribute("..organization")
    )

    @classmethod
    def _adjust_kwargs(cls, **kwargs: Any) -> dict[str, Any]:
        from productive.accounts.tokens import digest

        return {"prefix": kwargs["name"][:12], "digest": digest(kwargs["name"]), **kwargs}


class PersonFactory(OwnedFactory):
    class Meta:
        model = Person

    first_name = factory.Sequence(lambda n: f"First{n}")
    last_name = factory.Sequence(lambda n: f"Last{n}")
    email = factory.Sequence(lambda n: f"person{n}@example.com")


class ServiceTypeFactory(OwnedFactory):
    class Meta:
        model = ServiceType

    name = factory.Sequence(lambda n: f"Service type {n:04}")


class CompanyFactory(OwnedFactory):
    class Meta:
        model = Company

    name = factory.Sequence(lambda n: f"Company {n:04}")


class ProjectFactory(OwnedFactory):
    class Meta:
        model = Project

    name = factory.Sequence(lambda n: f"Project {n:04}")


class DealFactory(OwnedFactory):
    class Meta:
        model = Deal

    name = factory.Sequence(lambda n: f"Budget {n:04}")
    project = own("ProjectFactory")


class ServiceFactory(OwnedFactory):
    class Meta:
        model = Service

    name = factory.Sequence(lambda n: f"Service {n:04}")
    deal = own("DealFactory")
    service_type = own("ServiceTypeFactory")


class ServiceAssignmentFactory(OwnedFactory):
    class Meta:
        model = ServiceAssignment

    person = own("PersonFactory")
    service = own("ServiceFactory")


class ProjectAssignmentFactory(OwnedFactory):
    class Meta:
        model = ProjectAssignment

    person = own("PersonFactory")
    project = own("ProjectFactory")


class ServiceTypeAssignmentFactory(OwnedFactory):
    class Meta:
        model = ServiceTypeAssignment

    person = own("PersonFactory")
    service_type = own("ServiceTypeFactory")


class FilterFactory(OwnedFactory):
    class Meta:
        model = Filter

    name = factory.Sequence(lambda n: f"Filter {n:04}")
