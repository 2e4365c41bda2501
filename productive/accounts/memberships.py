from django.db import models

from productive.accounts.models import Organization, Person


class OrganizationMembership(models.Model):
    """The membership of the token's user in the organization: who the client acts as.

    It isn't stored. Its id is that of the user.
    """

    id = models.PositiveBigIntegerField(primary_key=True)
    organization = models.ForeignKey(Organization, models.DO_NOTHING, related_name="+")
    person = models.ForeignKey(Person, models.DO_NOTHING, null=True, related_name="+")

    class Meta:
        abstract = True
