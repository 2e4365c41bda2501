import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import productive.database.constraints


def give_seats(apps, schema_editor):
    """Who worked for an organization becomes a person of it, or its service user."""
    User = apps.get_model("accounts", "User")
    Person = apps.get_model("accounts", "Person")
    users = User.objects.exclude(organization=None).order_by("id")
    for user in users:
        if is_service_user(user):
            user.serves_id = user.organization_id
            user.save(update_fields=["serves"])
        else:
            seat_of(user, Person.objects).save()
    settle(schema_editor)


def is_service_user(user):
    """Made for a token: it has no password, no rights, and no way into the admin."""
    return user.password.startswith("!") and not user.is_staff and not user.is_superuser


def seat_of(user, people):
    """The colleague with the user's e-mail, or a new person of that name."""
    colleagues = people.filter(organization=user.organization_id)
    namesakes = colleagues.filter(email__iexact=user.email) if user.email else colleagues.none()
    person = namesakes.filter(archived_at=None, user=None).first()
    if person is None:
        person = people.model(
            organization_id=user.organization_id,
            first_name=user.first_name or user.username,
            last_name=user.last_name or user.username,
            email=None if namesakes.exists() else user.email or None,
        )
    person.user = user
    return person


def take_seats(apps, schema_editor):
    """A user keeps one organization: the one served, or else the first they work in."""
    User = apps.get_model("accounts", "User")
    Person = apps.get_model("accounts", "Person")
    User.objects.exclude(serves=None).update(organization=models.F("serves"))
    first = Person.objects.filter(user=models.OuterRef("pk"), archived_at=None).order_by("organization")
    User.objects.filter(serves=None, is_superuser=False).update(
        organization=models.Subquery(first.values("organization")[:1])
    )
    settle(schema_editor)


def settle(schema_editor):
    """Have foreign keys checked now: PostgreSQL alters no table while a check of it is pending."""
    schema_editor.connection.check_constraints()


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.AlterModelManagers(name="user", managers=[]),
        migrations.AddField(
            model_name="person",
            name="user",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                help_text="Opens the organization to this user, until the person is archived; again when restored.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="people",
                to=settings.AUTH_USER_MODEL,
                verbose_name="signs in as",
            ),
        ),
        migrations.AddField(
            model_name="user",
            name="serves",
            field=models.ForeignKey(
                blank=True,
                editable=False,
                help_text="The organization that API tokens act for as this user, who is nobody and never signs in.",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="service_users",
                to="accounts.organization",
            ),
        ),
        migrations.AddConstraint(
            model_name="person",
            constraint=productive.database.constraints.UniqueTogether(
                blame="user",
                fields=("user", "organization"),
                name="accounts_person_unique_user",
                violation_error_message="already signs in as another person of this organization",
            ),
        ),
        migrations.RunPython(give_seats, take_seats),
        migrations.RemoveField(model_name="user", name="organization"),
    ]
