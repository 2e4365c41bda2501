"""Organizations, people and users."""

from __future__ import annotations

import zoneinfo
from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, ClassVar, Self

from django.contrib.auth import models as auth_models
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.core.exceptions import ValidationError
from django.db import models, router, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone

from productive.accounts.details import PersonDetails
from productive.accounts.owned import Mergeable, MergeableQuerySet, sort_index
from productive.database.constraints import SameOrganization, UniqueTogether
from productive.database.fields import EmailField, LineField, SortKeyField
from productive.database.functions import AsciiUpper
from productive.database.history import History
from productive.database.recorded import Recorded, RecordedQuerySet

__all__ = ["ApiToken", "Organization", "Person", "User"]


def validate_time_zone(value: str) -> None:
    if value not in zoneinfo.available_timezones():
        raise ValidationError("is not an IANA time zone, such as Europe/Zagreb", code="invalid")


class OrganizationQuerySet(RecordedQuerySet["Organization"]):
    def owned_by(self, organization: Organization) -> Self:
        """Select the organization itself; other querysets select its records."""
        return self.filter(pk=organization.pk)

    def owned_by_any(self, organizations: Iterable[Organization]) -> Self:
        return self.filter(pk__in=[organization.pk for organization in organizations])

    def of(self, user: User) -> Self:
        """Filter the organizations where the user is an active person.

        A superuser has all of them.
        """
        if user.is_superuser:
            return self.all()
        return self.filter(pk__in=Person.objects.active().filter(user=user).values("organization"))


class Organization(Recorded):
    """A company that uses the system. It shares no records with others."""

    name = LineField(max_length=255)
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="IANA name"
    )
    day_order = models.CharField(
        "days in figures",
        max_length=3,
        blank=True,
        default="",
        db_default="",
        choices=[
            ("", "Year first: 2026-12-31"),
            ("dmy", "Day first: 31/12/2026"),
            ("mdy", "Month first: 12/31/2026"),
        ],
        help_text="How the organization writes a day. With the year first, a day that can be read in two "
        "ways, such as 03/04/2026, is rejected. 2026-12-31 and 31 Dec 2026 can always be entered.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    owner = "id"
    objects = OrganizationQuerySet.as_manager()
    history = History()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """Return the time zone, or UTC if the system no longer has it."""
        try:
            return zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return zoneinfo.ZoneInfo("UTC")

    def today(self) -> date:
        """Return the current date in the organization's time zone."""
        return timezone.localdate(timezone=self.zone)


class PersonQuerySet(MergeableQuerySet["Person"]):
    def update(self, **values: Any) -> int:
        """Update the rows, and sign out users who are no longer members.

        `archive()` and `bulk_update()` use this method.
        """
        if values.keys().isdisjoint({"archived_at", "user", "user_id"}):
            return super().update(**values)
        with transaction.atomic(using=self.db, savepoint=False):
            users = set(self.exclude(user=None).order_by().values_list("user", flat=True))
            count = super().update(**values)
            User.objects.sign_out_former_members(users)
        return count

    update.alters_data = True  # type: ignore[attr-defined]


class Person(Mergeable, PersonDetails):
    """A person who works for the organization and is assigned to work.

    If the person has a `user`, that user can work with the organization's records, until the person is
    archived.
    """

    first_name = LineField(max_length=255)
    last_name = LineField(max_length=255)
    name_key = SortKeyField("first_name", "last_name")
    email = EmailField(max_length=254, null=True, blank=True)
    title = LineField(max_length=255, null=True, blank=True)
    company = models.ForeignKey(
        "catalog.Company",
        models.RESTRICT,
        null=True,
        blank=True,
        related_name="people",
        help_text="The client that a contact person works for.",
    )
    manager = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="managed_people")
    # The index of a unique constraint below starts with this column.
    user = models.ForeignKey(
        "User",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="people",
        db_index=False,
        verbose_name="signs in as",
        help_text="This user can work with the organization, unless the person is archived.",
    )

    objects = PersonQuerySet.as_manager()
    history = History()
    # The user in the database, if it was loaded.
    loaded_user_id: int | None = None

    class Meta(Mergeable.Meta):
        verbose_name_plural = "people"
        constraints = [
            *Mergeable.Meta.constraints,
            SameOrganization("company", name="%(app_label)s_%(class)s_own_company"),
            SameOrganization("manager", name="%(app_label)s_%(class)s_own_manager"),
            UniqueTogether(
                "organization",
                AsciiUpper("email"),
                name="%(app_label)s_%(class)s_unique_email",
                blame="email",
                violation_error_message="has already been taken",
            ),
            UniqueTogether(
                fields=["user", "organization"],
                name="%(app_label)s_%(class)s_unique_user",
                blame="user",
                violation_error_message="already signs in as another person of this organization",
            ),
        ]
        indexes = [
            *Mergeable.Meta.indexes,
            sort_index("first_name", "last_name", name="by_name"),
            sort_index("name_key", name="by_key"),
            sort_index("email", name="by_email"),
            sort_index("title", name="by_title"),
            sort_index("created_at", name="by_created_at"),
        ]

    def __str__(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @classmethod
    def from_db(cls, *args: Any, **kwargs: Any) -> Self:
        person = super().from_db(*args, **kwargs)
        person.loaded_user_id = person.__dict__.get("user_id")
        return person

    # Productive's API has these names for the two actions.
    deactivate = Mergeable.archive
    activate = Mergeable.restore

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the person, and sign out a user who is no longer a member."""
        with transaction.atomic(router.db_for_write(Person), savepoint=False):
            super().save(*args, **kwargs)
            # An active person keeps the user a member.
            users = {self.loaded_user_id, self.user_id} - {None}
            if self.archived_at is None:
                users.discard(self.user_id)
            User.objects.sign_out_former_members(users)
        self.loaded_user_id = self.user_id


@receiver(post_delete, sender=Person)
def sign_out_user_of_deleted_person(instance: Person, **kwargs: Any) -> None:
    """Sign out the user, also if a cascade deletes the person."""
    User.objects.sign_out_former_members({instance.user_id} - {None})


class UserQuerySet(RecordedQuerySet["User"]):
    def members_of(self, organization: Organization | OuterRef) -> Self:
        """Return the users who can act for the organization.

        They are its active people, its service accounts and superusers. A user can be in the result more than
        once.
        """
        return self.filter(
            Q(is_superuser=True)
            | Q(service_account_of=organization)
            | Q(people__organization=organization, people__archived_at=None)
        )

    def update(self, **values: Any) -> int:
        if not values.keys().isdisjoint({"is_active", "is_staff"}):
            values.setdefault("signed_out_at", timezone.now())
        return super().update(**values)

    update.alters_data = True  # type: ignore[attr-defined]

    def sign_out_former_members(self, ids: Collection[int]) -> None:
        """End the sessions of those users who are active people nowhere."""
        if ids:
            active = Person.objects.active().filter(user=OuterRef("pk"))
            former = self.filter(~Exists(active), pk__in=ids, is_superuser=False)
            former.update(signed_out_at=timezone.now())


class UserManager(auth_models.UserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    use_in_migrations = False


class User(auth_models.AbstractUser, Recorded):
    """A login, or the service account of an integration."""

    service_account_of = models.ForeignKey(
        Organization,
        models.CASCADE,
        null=True,
        blank=True,
        editable=False,
        related_name="service_accounts",
        help_text="The organization that this user's API tokens act for. Service accounts never sign in.",
    )
    # Sessions that began before are invalid, also after the user is activated or the person is restored.
    signed_out_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The columns that the user chose for headings of imports: {"accounts.person": {"mail": "email"}}.
    import_headings = models.JSONField(default=dict, db_default={}, blank=True, editable=False)

    objects: ClassVar[UserManager] = UserManager()
    history = History(excluded_fields=["password", "last_login", "signed_out_at", "import_headings"])

    class Meta(auth_models.AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(
                condition=Q(service_account_of=None)
                | Q(Q(password="") | Q(password__startswith=UNUSABLE_PASSWORD_PREFIX))
                & Q(is_staff=False, is_superuser=False),
                name="%(app_label)s_%(class)s_service_account_never_signs_in",
                violation_error_message="A service account can't have a password or access to the admin.",
            )
        ]

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save the user, and end the sessions of one who can't sign in."""
        if not (self.is_active and self.is_staff):
            self.signed_out_at = timezone.now()
            if update_fields is not None:
                update_fields = {*update_fields, "signed_out_at"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def get_session_auth_hash(self) -> str:
        """Return a hash that changes when the sessions must end.

        Django stores it in each session, and compares it for each request.
        """
        auth_hash: str = super().get_session_auth_hash()
        return auth_hash if self.signed_out_at is None else f"{auth_hash} {self.signed_out_at.isoformat()}"

    def can_act_for(self, organization: Organization) -> bool:
        """Return whether the user is still a member of the organization."""
        return User.objects.members_of(organization).filter(pk=self.pk).exists()


# At the end, because Django lists models in the order of their definition, and copy_from needs users first.
from productive.accounts.tokens import ApiToken  # noqa: E402
